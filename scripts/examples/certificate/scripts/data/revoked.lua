-- Certificates that admit nobody any more, by their SHA-256 fingerprints, as
-- openssl x509 -noout -fingerprint -sha256 prints them.

return {
  -- ["AB:CD:…"] = "lost on a train",
}
