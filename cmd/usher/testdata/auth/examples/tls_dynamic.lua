-- Client certificates: which one is let in, as the name that it has.
router.join { realm = "realm1", authrole = "authenticator" }

local accepted = { ["SHA1_OF_CLIENT_0"] = true }

router.authenticator("com.example.authenticate", function(request)
  local certificate = request.transport.client_cert
  if not accepted[certificate.sha1] then
    return nil, "com.example.invalid_cert", "certificate of " .. certificate.subject.CN .. " denied"
  end
  return { authid = certificate.subject.CN .. " of " .. certificate.issuer.CN, role = "frontend", expires_at = certificate.not_after }
end)
