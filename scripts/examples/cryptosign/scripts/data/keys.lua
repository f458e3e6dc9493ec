-- Who may log in: public keys, which are no secrets. To make a key of your own:
--
--   openssl genpkey -algorithm ed25519 -out joe.pem
--   openssl pkey -in joe.pem -pubout -outform DER | tail -c 32 | xxd -p -c 32
--
-- The private key to joe's is known to everybody who has read the tests: replace
-- it.

return {
  ["8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c"] = { authid = "joe", role = "frontend" },
}
