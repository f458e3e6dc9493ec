-- Who may log in. secret is not the password but what is derived from it:
--
--   crypto.base64_encode(crypto.pbkdf2(password, salt, iterations, keylen))
--
-- or derive_key() of Autobahn|Python, with a random salt for each user. joe's
-- password is "secret!!!", known to everybody who has read the tests: replace it.

return {
  joe = {
    salt = "5ZKQ0bWXaTVHYp1x",
    iterations = 100000,
    keylen = 32,
    secret = "gESkGnWHZVwYZ9Yg+sAokj3Zu9Iyg3obJWjNNrXzVb8=",
    role = "frontend",
  },
}
