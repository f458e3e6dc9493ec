"""A remote authenticator with Autobahn|Python: URL.

Joins as the principal "remote" with the ticket from the environment variable
TICKET, registers com.example.authenticate, and prints each request that it is
asked about as one line of JSON.
"""

import asyncio
import json
import os
import sys

from autobahn.asyncio.wamp import ApplicationRunner, ApplicationSession
from autobahn.wamp.exception import ApplicationError

PRINCIPALS = {"joe": "secret!!!", "client2": "123sekret"}


def say(what, value):
    print(json.dumps([what, value]), flush=True)


class Authenticator(ApplicationSession):
    def onConnect(self):
        self.join("realm1", ["ticket"], "remote")

    def onChallenge(self, challenge):
        return os.environ["TICKET"]

    async def onJoin(self, details):
        await self.register(self.authenticate, "com.example.authenticate")
        say("registered", "com.example.authenticate")

    def authenticate(self, realm, authid, details):
        say("asked", [realm, authid, details])
        if authid not in PRINCIPALS:
            raise ApplicationError(
                "com.example.no_such_user", f"could not authenticate session - no such principal {authid}"
            )
        if details["ticket"] != PRINCIPALS[authid]:
            raise ApplicationError(
                "com.example.invalid_ticket",
                f"could not authenticate session - invalid ticket '{details['ticket']}' for principal {authid}",
            )
        return "frontend"

    def onLeave(self, details):
        say("leave", [details.reason, details.message])
        self.disconnect()

    def onDisconnect(self):
        asyncio.get_event_loop().stop()


ApplicationRunner(sys.argv[1], "realm1").run(Authenticator)
