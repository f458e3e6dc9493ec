-- Who may log in: the SHA-256 hash of each ticket. To make a ticket with its hash:
--
--   ticket=$(openssl rand -hex 16); echo $ticket; printf %s $ticket | sha256sum
--
-- joe's is "secret!!!", known to everybody who has read the tests: replace it.
-- expires_at is optional, and ends the sessions that are there by then.

return {
  joe = {
    sha256 = "a41380dafd06dd500955d37194e14235ccf8f254e9fa0888f4c2aade0a4b308d",
    role = "frontend",
    expires_at = "2099-12-31T23:59:59Z",
  },
}
