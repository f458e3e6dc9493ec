---@meta test

-- What files of tests (NAME_test.lua) have beside the library of scripts. Each test
-- runs in a router of its own. `usher test DIR` runs them.

---Groups tests. Hooks and settings inside of it are for them only.
---@param name string
---@param fn fun()
function describe(name, fn) end

---A test. Without fn it is still to be written.
---@param name string
---@param fn? fun()
function it(name, fn) end

---A test for each case. A case that is a list is handed over as arguments, {1} in the name stands for its first; of one with names {field} for that.
---@param cases any[]
---@param name string
---@param fn fun(...)
function each(cases, name, fn) end

---@param fn fun()
function before_each(fn) end

---@param fn fun()
function after_each(fn) end

---Begins an expectation: `expect(1 + 1):to_be(2)`, `expect(x).never:to_be_nil()`.
---@param value any
---@return Expectation
function expect(value) end

---The router that a test runs in, and everything around it.
---@class testlib
test = {}

---Names the components that are loaded. The default is the one that has the file's name.
---@param ... string
function test.components(...) end

---Adds roles to a realm, for tests alone; they may do everything.
---@param name string
---@param roles string[]
function test.realm(name, roles) end

---Sets environment variables that the components see.
---@param values table<string, string>
function test.env(values) end

---Sets the clock, which stands still otherwise, and returns its time.
---@param time? number|string seconds since 1970, or RFC 3339
---@return number
function test.time(time) end

---Lets time pass.
---@param seconds number
function test.advance(seconds) end

---Answers requests by HTTP: "GET https://example.com/", without a method for all of them, with * at the end for all that begin so.
---@param pattern string
---@param answer FakeAnswer|fun(request: FakeRequest): FakeAnswer|nil, string?
function test.http(pattern, answer) end

---Returns the requests that the components have made.
---@return FakeRequest[]
function test.requests() end

---Answers statements on databases; pattern is one of Lua's that the statement has to match. The answer is a list of rows, the number of rows that exec changes, or a function of the parameters that returns one.
---@param pattern string
---@param answer table[]|number|fun(...): table[]|number|nil, string?
function test.sql(pattern, answer) end

---Makes a request for test.authenticate. What is not given is filled in; null makes it nil.
---@param fields? TestRequest
---@return Request
function test.request(fields) end

---Asks an authenticator, and returns what the router makes of its answer.
---@overload fun(request: Request): LoginOutcome
---@param who string a component or URI, where there are several
---@param request Request
---@return LoginOutcome
function test.authenticate(who, request) end

---Asks an authorizer, and returns what the router makes of its answer.
---@param question TestQuestion
---@return TestVerdict
function test.authorize(question) end

---Calls a procedure as router.call does. When it returns, the components have nothing left to do.
---@param uri string
---@param args? any[]
---@param kwargs? table
---@param options? TestOptions
---@return any ...
function test.call(uri, args, kwargs, options) end

---Calls a procedure and returns all of the answer.
---@param uri string
---@param args? any[]
---@param kwargs? table
---@param options? TestOptions
---@return TestReply
function test.reply(uri, args, kwargs, options) end

---Publishes an event. When it returns, the components have handled it.
---@param topic string
---@param args? any[]
---@param kwargs? table
---@param options? TestOptions
---@return integer publication
function test.publish(topic, args, kwargs, options) end

---Subscribes the test to a topic: see test.events.
---@param topic string
---@param options? TestOptions
function test.subscribe(topic, options) end

---Returns the events that came since the last time.
---@param topic? string only those on it
---@return TestEvent[]
function test.events(topic) end

---Registers a procedure of the test, which components may call.
---@param uri string
---@param fn fun(args: Args, kwargs: table, details: CallDetails): ...
---@param options? TestOptions
function test.register(uri, fn, options) end

---Returns what the components have logged and printed.
---@param pattern? string only what matches
---@return TestLog[]
function test.logs(pattern) end

---Ends the test without a verdict.
---@param reason? string
function test.skip(reason) end

---@class Expectation
---@field never Expectation expects the opposite
local Expectation = {}

---The same value; of tables the same table.
---@param value any
function Expectation:to_be(value) end

---An equal value: of tables with equal fields.
---@param value any
function Expectation:to_equal(value) end

---A text with a part, a list with an item, or a table with these fields.
---@param value any
function Expectation:to_contain(value) end

---A text that matches a pattern of Lua's.
---@param pattern string
function Expectation:to_match(pattern) end

---A function that raises an error, with a text or URI if one is given. Returns the error.
---@param text? string
---@return any error
function Expectation:to_raise(text) end

function Expectation:to_be_nil() end
function Expectation:to_be_true() end
function Expectation:to_be_false() end
function Expectation:to_be_truthy() end
function Expectation:to_be_falsy() end

---@param type string
function Expectation:to_be_a(type) end

---@param n number
function Expectation:to_be_above(n) end

---@param n number
function Expectation:to_be_below(n) end

---@param n number
---@param tolerance? number
function Expectation:to_be_near(n, tolerance) end

---@class FakeAnswer
---@field status? integer 200 by default
---@field headers? table<string, string>
---@field body? string
---@field json? any that is sent as JSON
---@field error? string there is no answer, for this reason

---@class FakeRequest
---@field method string
---@field url string
---@field headers table<string, string> names in lower case
---@field body string

---@class (exact) TestRequest
---@field realm? string|userdata
---@field authid? string|userdata
---@field authrole? string
---@field authmethod? string
---@field authextra? table
---@field ticket? string
---@field secret? string that a client of wampcra has
---@field password? string that a client of scram has
---@field key? string that a client of cryptosign has: the private one, 64 hexadecimal digits
---@field delegation? table what the client's cryptosign certificates say: fields of Delegation
---@field session? integer
---@field headers? table<string, string> short for transport.http_headers_received
---@field transport? table client_cert may be PEM, or a table with subject, dns_names and emails

---@class LoginOutcome
---@field accepted boolean
---@field role? string
---@field authid? string
---@field realm? string
---@field extra? table
---@field expires_at? number seconds since 1970
---@field uri? string as the client would be told
---@field message? string as the client would be told
---@field cause? string what only the log says

---@class (exact) TestQuestion
---@field who? string a component or URI, where there are several
---@field uri string
---@field action "call"|"register"|"publish"|"subscribe"
---@field options? AuthorizerOptions
---@field realm? string
---@field authid? string
---@field authrole? string
---@field authmethod? string
---@field authprovider? string
---@field session? integer
---@field peer? string
---@field protocol? string

---@class TestVerdict
---@field allow boolean
---@field disclose boolean
---@field cache number|boolean
---@field cause? string what only the log says

---@class (exact) TestOptions
---@field realm? string whose session it is
---@field authrole? string
---@field authid? string
---@field match? "exact"|"prefix"|"wildcard" of register and subscribe
---@field timeout? integer of calls, in milliseconds
---@field disclose_me? boolean
---@field exclude_me? boolean
---@field retain? boolean

---@class TestReply
---@field args any[]
---@field kwargs table
---@field error? string URI
---@field progress table[] args and kwargs of each progressive result

---@class TestEvent
---@field topic string
---@field args Args
---@field kwargs table
---@field details EventDetails

---@class TestLog
---@field level "debug"|"info"|"warn"|"error"
---@field message string
---@field component? string
---@field fields table<string, string>
