---@meta usher

-- What scripts of usher have beside Lua's own library, for editors that know the
-- Lua language server's annotations. `usher help lua NAME` shows the same.

---The component's session: what it offers to clients and asks of them. Options are spelled as in WAMP. `every` keeps its beat when the script is saved; `sessions`, `session` and `kill` are the meta API, as far as the component's role may.
---@class routerlib
router = {}

---Joins the component to a realm. Once, at the top level, before anything else of router.
---@param session JoinOptions
function router.join(session) end

---Decides about logins: the router asks fn for each one. It returns a role, a principal, or nil with a URI and a message.
---@param uri string that an auth section of the configuration names
---@param fn fun(request: Request): string|Principal|nil, string?, string?
function router.authenticator(uri, fn) end

---Decides what sessions may do, where a role has `authorizer` in the configuration. Only true, or a table with allow = true, allows.
---@param uri string
---@param fn fun(session: AuthorizerSession, uri: string, action: "call"|"register"|"publish"|"subscribe", options: AuthorizerOptions): boolean|Verdict
function router.authorizer(uri, fn) end

---Registers a procedure. What fn returns are the result's arguments; an error made by router.error is the caller's.
---@param uri string
---@param fn fun(args: Args, kwargs: table, details: CallDetails): ...
---@param options? RegisterOptions
function router.register(uri, fn, options) end

---Subscribes to a topic. Events come one at a time, in order.
---@param uri string
---@param fn fun(args: Args, kwargs: table, details: EventDetails)
---@param options? SubscribeOptions
function router.subscribe(uri, fn, options) end

---Calls fn once for each generation of the script, when it is in force. Calls, publications and writes to kv belong here, not at the top level.
---@param fn fun()
function router.on_ready(fn) end

---Calls a procedure and returns the result's arguments. Raises a WampError if that fails.
---@param uri string
---@param args? any[]
---@param kwargs? table
---@param options? CallOptions
---@return any ...
function router.call(uri, args, kwargs, options) end

---Publishes an event.
---@param uri string
---@param args? any[]
---@param kwargs? table
---@param options? PublishOptions
---@return integer? publication # its id, with acknowledge
function router.publish(uri, args, kwargs, options) end

---Calls fn at intervals, on one virtual machine at a time. At the top level; it keeps its beat when the script is saved.
---@param seconds number
---@param fn fun()
function router.every(seconds, fn) end

---At the top level: calls fn once in each generation. In functions: calls a procedure later, whatever the script is by then.
---@overload fun(seconds: number, fn: fun())
---@param seconds number
---@param uri string
---@param args? any[]
---@param kwargs? table
function router.after(seconds, uri, args, kwargs) end

---Describes the sessions of the realm, as the meta API does.
---@param options? SessionsOptions
---@return table[] sessions
---@return boolean more # whether there are others
function router.sessions(options) end

---Describes one session; nil where there is none.
---@param id integer
---@return table?
function router.session(id) end

---Ends a session, and returns whether there was one; or all of an authid or authrole, and returns how many.
---@param whom integer|KillOptions
---@param reason? string a URI
---@param message? string for people
---@return boolean|integer
function router.kill(whom, reason, message) end

---Makes an application error: `error(router.error("com.example.too_many", { 7 }))`.
---@param uri string
---@param args? any[]
---@param kwargs? table
---@return WampError
function router.error(uri, args, kwargs) end

---Makes a procedure's result with values by name: `return router.result({ 5 }, { unit = "ms" })`.
---@param args? any[]
---@param kwargs? table
---@return userdata
function router.result(args, kwargs) end

---Marks a table as a list, a new one by default. An empty table is a dict otherwise.
---@generic T
---@param list? T[]
---@return T[]
function router.list(list) end

---Makes a value that is sent as bytes, not as text. tostring of it is the string again.
---@param bytes string
---@return userdata
function router.binary(bytes) end

---Stands for null: it is neither nil nor false.
---@type userdata
null = nil

---Runs a file of a sub-directory of the scripts, once for each virtual machine, and returns what it returns.
---@param name string such as "dir.name"
---@return any
function require(name) end

---State that the components of a realm share: strings, numbers and booleans. It survives reloads; it is bounded, and nothing is evicted: what does not fit is an error.
---@class kvlib
kv = {}

---Returns the string, number or boolean that is stored; nil where there is nothing, or it has expired.
---@param key string
---@return any
function kv.get(key) end

---Stores a value.
---@param key string
---@param value string|number|boolean
---@param ttl? number seconds to live; for ever without it
function kv.set(key, value, ttl) end

---Stores a value unless there is one, and returns whether it did.
---@param key string
---@param value string|number|boolean
---@param ttl? number seconds to live
---@return boolean
function kv.add(key, value, ttl) end

---Adds to a number, which counts as 0 where there is none, and returns the sum.
---@param key string
---@param n? number 1 by default
---@param ttl? number seconds that a new entry lives
---@return number
function kv.incr(key, n, ttl) end

---Removes an entry, and returns whether there was one.
---@param key string
---@return boolean
function kv.delete(key) end

---Lists the keys that begin with a text, in order.
---@param prefix? string
---@param limit? integer 100 by default
---@return string[] keys
---@return boolean more # whether there are others
function kv.keys(prefix, limit) end

---Writes to the router's log, as `print` does. What is secret in the running call shows as `***`.
---@class loglib
log = {}

---@param message string
---@param fields? table names and values
function log.debug(message, fields) end

---@param message string
---@param fields? table names and values
function log.info(message, fields) end

---@param message string
---@param fields? table names and values
function log.warn(message, fields) end

---@param message string
---@param fields? table names and values
function log.error(message, fields) end

---Requests by HTTP, within the deadline of the call. The answer is `{ status, headers, body, url, json() }`. Addresses of private networks are refused, unless `scripts.http` allows them.
---@class httplib
http = {}

---@param url string
---@param options? HttpOptions
---@return HttpAnswer? answer
---@return string? reason # why there is none
function http.get(url, options) end

---@param url string
---@param body? string|table a table is sent as JSON
---@param options? HttpOptions
---@return HttpAnswer? answer
---@return string? reason # why there is none
function http.post(url, body, options) end

---@param options HttpRequest
---@return HttpAnswer? answer
---@return string? reason # why there is none
function http.request(options) end

---Databases that `scripts.sql` names. Parameters are $1 in PostgreSQL, ? in SQLite; NULL is nil. Errors of the database are raised.
---@class sqllib
sql = {}

---@param name string as in scripts.sql
---@return Database
function sql.open(name) end

---JSON, where null is `null` (which is true in an `if`: compare with it), `{}` an object and `router.list {}` an empty array.
---@class jsonlib
json = {}

---@param value any
---@return string
function json.encode(value) end

---@param text string
---@return any value
---@return string? reason # why there is none
function json.decode(text) end

---Hashes, passwords and signatures. Hashes and keys are bytes: see `hex_encode`. `equal` takes constant time, and is true only for two equal, non-empty strings. A token never chooses its algorithm, and must expire. Hashing passwords takes turns, as many at once as there are processors.
---@class cryptolib
crypto = {}

---Compares secrets in constant time. True only for two equal strings that are not empty.
---@param a string?
---@param b string?
---@return boolean
function crypto.equal(a, b) end

---@param n integer
---@return string bytes
function crypto.random(n) end

---@param n? integer 26 by default
---@return string # letters and digits
function crypto.random_text(n) end

---@param data string
---@return string bytes
function crypto.sha256(data) end

---@param data string
---@return string bytes
function crypto.sha384(data) end

---@param data string
---@return string bytes
function crypto.sha512(data) end

---@param algorithm "sha1"|"sha256"|"sha384"|"sha512"
---@param key string
---@param data string
---@return string bytes
function crypto.hmac(algorithm, key, data) end

---@param data string
---@return string
function crypto.hex_encode(data) end

---@param text string
---@return string? data
---@return string? reason
function crypto.hex_decode(text) end

---@param data string
---@return string
function crypto.base64_encode(data) end

---@param text string
---@return string? data
---@return string? reason
function crypto.base64_decode(text) end

---@param data string
---@return string # without padding
function crypto.base64url_encode(data) end

---@param text string
---@return string? data
---@return string? reason
function crypto.base64url_decode(text) end

---@param data string
---@return string
function crypto.base32_encode(data) end

---@param text string
---@return string? data
---@return string? reason
function crypto.base32_decode(text) end

---@param password string of 1 to 72 bytes
---@param cost? integer 10 by default
---@return string hash
function crypto.bcrypt_hash(password, cost) end

---@param password string
---@param hash string
---@return boolean
function crypto.bcrypt_verify(password, hash) end

---@param password string
---@param options? Argon2Options
---@return string hash # $argon2id$…
function crypto.argon2id_hash(password, options) end

---@param password string
---@param hash string $argon2id$…
---@return boolean
function crypto.argon2id_verify(password, hash) end

---@param password string
---@param salt string
---@param iterations integer
---@param length integer in bytes
---@param algorithm? string "sha256" by default
---@return string key
function crypto.pbkdf2(password, salt, iterations, length, algorithm) end

---@param password string
---@param salt string
---@param options? ScryptOptions
---@return string key
function crypto.scrypt(password, salt, options) end

---Derives what an authenticator returns for WAMP-SCRAM, and what one stores in place of a password.
---@param options ScramOptions
---@return ScramKeys
function crypto.scram_keys(options) end

---@param seed string 32 bytes, or as hexadecimal digits
---@return string public
function crypto.ed25519_public(seed) end

---@param seed string
---@param message string
---@return string signature
function crypto.ed25519_sign(seed, message) end

---@param pubkey string
---@param message string
---@param signature string
---@return boolean
function crypto.ed25519_verify(pubkey, message, signature) end

---@return string secret # base32, as authenticator apps take it
function crypto.totp_secret() end

---@param secret string base32
---@param options? TotpOptions
---@return string code # of now
function crypto.totp(secret, options) end

---Checks a one-time code. Store the step that it returns, and give it as after the next time: then no code is good twice.
---@param secret string base32
---@param code string
---@param options? TotpVerifyOptions
---@return integer? step # nil: the code is wrong
function crypto.totp_verify(secret, code, options) end

---Checks a JSON Web Token: its signature, its times, and what options ask for. Another algorithm than the key's is refused.
---@param token string
---@param options JwtOptions
---@return table? claims # nil: it is not good
---@return any header # or the reason
function crypto.jwt_verify(token, options) end

---Times are seconds since 1970, with a fraction, or text as RFC 3339 writes it.
---@class timelib
time = {}

---@return number
function time.now() end

---For differences only.
---@return number
function time.monotonic() end

---@param text string RFC 3339, such as 2026-11-26T12:00:00Z
---@return number? seconds
---@return string? reason
function time.parse(text) end

---@param seconds number
---@return string # RFC 3339 in UTC
function time.format(seconds) end

---URLs and their queries.
---@class urllib
url = {}

---@param text string
---@return UrlParts? parts
---@return string? reason
function url.parse(text) end

---Escapes one value of a query.
---@param text string
---@return string
function url.escape(text) end

---@param text string
---@return string? text
---@return string? reason
function url.unescape(text) end

---@param values table<string, string|number|boolean|table>
---@return string
function url.query_encode(values) end

---@param text string
---@return table<string, string|string[]>? values
---@return string? reason
function url.query_decode(text) end

---The environment, as `os.getenv`: names that `scripts.env` lists.
---@class envlib
env = {}

---@param name string
---@return string?
function env.get(name) end

---Whom a component joins as.
---@class (exact) JoinOptions
---@field realm string
---@field authrole string
---@field vms? integer how many virtual machines at most; 1: ordinary state, one call at a time

---Everything known about a client that wants to log in.
---@class Request
---@field realm? string that is asked for; nil: the authenticator assigns it
---@field authid? string as asked for
---@field authrole? string as asked for
---@field authmethod "anonymous"|"ticket"|"wampcra"|"wamp-scram"|"scram"|"cryptosign"|"cookie"|"tls"
---@field authextra? table of HELLO
---@field ticket? string that was presented
---@field pubkey? string that the client proved to have, or says to: hexadecimal digits
---@field delegation? Delegation of pubkey, where the client showed certificates that hold
---@field session integer the id that the session will have
---@field generation integer of the script that is asked
---@field transport Transport

---The connection that a client came by.
---@class Transport
---@field type? "websocket"|"longpoll"|"rawsocket"|"local"
---@field protocol? string such as wamp.2.json
---@field peer? string such as tcp4:127.0.0.1:17185; behind a trusted proxy the client's
---@field http_headers_received table<string, string> names in lower case
---@field http_headers_sent table<string, string> names in lower case
---@field cbtid? string the tracking cookie
---@field client_cert? ClientCertificate
---@field is_secure boolean TLS, or a trusted proxy says so
---@field path? string of the upgrade request
---@field query? string of the upgrade request, as it stands

---What a client's cryptosign certificates say. They hold, whoever their trust root is: compare it.
---@class Delegation
---@field trustroot string address of the root, with its checksum (EIP-55)
---@field delegate string address of who holds the key
---@field realm string address that the certificates are for
---@field chain_id integer
---@field verifying_contract string address
---@field capabilities integer bits, of who vouches for the delegate

---The certificate that a client presented, and that was verified.
---@class ClientCertificate
---@field sha256 string fingerprint, as OpenSSL prints it
---@field sha1 string fingerprint
---@field subject table<string, string> such as CN
---@field issuer table<string, string>
---@field serial string in decimal
---@field not_before string RFC 3339
---@field not_after string RFC 3339
---@field dns_names string[]
---@field emails string[]

---Who somebody turned out to be. Fields that are given override what was asked for. What is not known here is refused.
---@class (exact) Principal
---@field role string
---@field authid? string
---@field realm? string
---@field extra? table that the client is told
---@field expires_at? number|string when the session ends: seconds since 1970, or RFC 3339
---@field secret? string for wampcra; with a salt the derived key in base64
---@field salt? string for wampcra and scram
---@field iterations? integer for wampcra and scram
---@field keylen? integer for wampcra, in bytes
---@field kdf? "argon2id13"|"pbkdf2"|"argon2id-13" for scram
---@field memory? integer for scram, in KiB
---@field stored_key? string|userdata for scram
---@field server_key? string|userdata for scram
---@field authorized_keys? string[] for cryptosign: hexadecimal digits

---Who asks an authorizer.
---@class AuthorizerSession
---@field session integer
---@field realm string
---@field authid string
---@field authrole string
---@field authmethod string
---@field authprovider string
---@field transport table peer and protocol

---What the request's options ask for; absent ones are nil.
---@class AuthorizerOptions
---@field match? string
---@field invoke? string
---@field get_retained? boolean
---@field retain? boolean
---@field acknowledge? boolean
---@field disclose_me? boolean
---@field receive_progress? boolean
---@field timeout? integer milliseconds

---What an authorizer decides.
---@class (exact) Verdict
---@field allow boolean
---@field disclose? boolean callees and subscribers learn who it was
---@field cache? number|boolean seconds for which the session need not ask again; true: for ever

---Arguments of a call or event. n counts them, nil and null included.
---@class Args: { [integer]: any }
---@field n integer

---What WAMP says of a call.
---@class CallDetails
---@field procedure string as called
---@field caller? integer session id, where it is disclosed
---@field caller_authid? string
---@field caller_authrole? string
---@field trustlevel? integer
---@field timeout? integer milliseconds that are left to this procedure
---@field progress? fun(args?: any[], kwargs?: table): boolean sends a progressive result, where the caller takes any; false: it has left
---@field more? fun(): Args?, table? waits for the next part of a call in parts; nil after the last

---What WAMP says of an event.
---@class EventDetails
---@field topic string as published
---@field publication? integer
---@field publisher? integer session id, where it is disclosed
---@field publisher_authid? string
---@field publisher_authrole? string
---@field trustlevel? integer
---@field retained? boolean
---@field ppt_scheme? string
---@field ppt_serializer? string
---@field ppt_cipher? string
---@field ppt_keyid? string
---@field enc_algo? string
---@field enc_serializer? string
---@field enc_key? string

---@class (exact) RegisterOptions
---@field match? "exact"|"prefix"|"wildcard"
---@field invoke? "single"|"first"|"last"|"roundrobin"|"random"
---@field concurrency? integer calls at the same time
---@field disclose_caller? boolean
---@field force_reregister? boolean takes the procedure from who has it
---@field forward_timeout? boolean the procedure learns the call's time-out, and is stopped by it

---@class (exact) SubscribeOptions
---@field match? "exact"|"prefix"|"wildcard"
---@field get_retained? boolean
---@field concurrent? boolean events need not wait for each other

---@class (exact) CallOptions
---@field timeout? integer milliseconds
---@field disclose_me? boolean
---@field on_progress? fun(args: Args, kwargs: table) gets progressive results

---@class (exact) PublishOptions
---@field acknowledge? boolean returns the publication's id, and raises what is denied
---@field retain? boolean
---@field exclude_me? boolean
---@field disclose_me? boolean
---@field exclude? integer[] session ids
---@field exclude_authid? string[]
---@field exclude_authrole? string[]
---@field eligible? integer[] session ids
---@field eligible_authid? string[]
---@field eligible_authrole? string[]

---@class (exact) SessionsOptions
---@field authrole? string|string[]
---@field limit? integer 1000 by default

---@class (exact) KillOptions
---@field authid? string
---@field authrole? string

---What router.error makes, and a call that fails raises.
---@class WampError
---@field uri string
---@field args? any[]
---@field kwargs? table

---@class (exact) HttpRequest: HttpOptions
---@field url string

---@class (exact) HttpOptions
---@field method? string
---@field headers? table<string, string>
---@field body? string
---@field json? any that is sent as JSON, not with a body
---@field timeout? number seconds, within those of the call
---@field max_bytes? integer of the answer
---@field redirects? integer that are followed; 5 by default
---@field tls? HttpTls

---@class (exact) HttpTls
---@field ca? string certificates in PEM that are trusted
---@field cert? string of the client, in PEM
---@field key? string of the client, in PEM
---@field insecure? boolean trusts anybody

---What http.get and the like return.
---@class HttpAnswer
---@field status integer
---@field headers table<string, string> names in lower case
---@field body string
---@field url string after redirects
---@field json fun(): any, string? decodes the body

---A database, or in a transaction what that does.
---@class Database
local Database = {}

---Returns the rows, each a table by the columns' names.
---@param text string with $1 (PostgreSQL) or ? (SQLite) for the parameters
---@param ... any parameters
---@return table[]
function Database:query(text, ...) end

---Returns the first row, or nil.
---@param text string
---@param ... any parameters
---@return table?
function Database:query_row(text, ...) end

---Returns how many rows were changed.
---@param text string
---@param ... any parameters
---@return integer
function Database:exec(text, ...) end

---Returns what fn returns. Where fn raises an error, nothing of it is done.
---@param fn fun(tx: Database): ...
---@return any ...
function Database:transaction(fn) end

---@class (exact) Argon2Options
---@field memory? integer KiB
---@field iterations? integer
---@field parallelism? integer

---@class (exact) ScryptOptions
---@field n? integer a power of 2
---@field r? integer
---@field p? integer
---@field length? integer in bytes

---@class (exact) ScramOptions
---@field password string
---@field kdf? "argon2id13"|"pbkdf2"|"argon2id-13" the last for clients of Crossbar.io, who say scram
---@field iterations? integer
---@field memory? integer KiB
---@field salt? string base64; a new one by default

---@class ScramKeys
---@field kdf string
---@field iterations integer
---@field memory? integer
---@field salt string base64
---@field stored_key string base64
---@field server_key string base64

---@class (exact) TotpOptions
---@field digits? integer 6 by default
---@field period? integer seconds; 30 by default
---@field algorithm? "sha1"|"sha256"|"sha512"
---@field time? number now by default

---@class (exact) TotpVerifyOptions: TotpOptions
---@field window? integer how many steps the clocks may differ; 1 by default
---@field after? integer a step up to which codes have been used

---@class (exact) JwtOptions
---@field key? string PEM, or the secret of HS256 and its like
---@field algorithm? string what the key is for
---@field jwks? string a JWKS document, in place of a key
---@field issuer? string|string[] that iss must be
---@field audience? string|string[] of which aud must have one
---@field leeway? number seconds that clocks may differ
---@field without_expiry? boolean a token that never expires is good, too

---@class UrlParts
---@field scheme? string
---@field user? string
---@field password? string
---@field host? string
---@field port? string
---@field path? string
---@field query? string
---@field fragment? string
