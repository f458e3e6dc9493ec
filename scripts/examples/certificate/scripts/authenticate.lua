-- Client certificates: the organizational unit is the role, the common name the
-- user.
--
-- In usher.yaml:
--   ca_certificates: [certificates/ca.pem]
--   auth:
--     tls: {type: dynamic, authenticator: com.example.authenticate}
--
-- Safe because the listener has verified the certificate, and that the client
-- has its key, before this script is asked; because data/revoked.lua shuts out
-- at once what was lost; and because no session outlives its certificate.

router.join { realm = "realm1", authrole = "authenticator" }

local revoked = require "data.revoked"

local roles = { devices = "device", operators = "operator" }

router.authenticator("com.example.authenticate", function(request)
  local certificate = request.transport.client_cert
  if revoked[certificate.sha256] then
    return nil, "com.example.revoked", "this certificate has been revoked"
  end
  local subject = certificate.subject
  local role = roles[subject.OU]
  -- Without a name in it the client would have whatever name it asks for.
  if not role or not subject.CN then
    return nil, "com.example.no_role", "this certificate is for something else"
  end
  return { authid = subject.CN, role = role, expires_at = certificate.not_after }
end)
