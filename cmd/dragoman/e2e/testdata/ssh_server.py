"""An SSH server that takes a password only: host key, method ("password" or "keyboard-interactive"), password. Prints its port."""
import asyncio
import sys

import asyncssh


class Server(asyncssh.SSHServer):
    def begin_auth(self, username):
        return True

    def public_key_auth_supported(self):
        return False

    def password_auth_supported(self):
        return sys.argv[2] == "password"

    def validate_password(self, username, password):
        return username == "svc" and password == sys.argv[3]

    def kbdint_auth_supported(self):
        return sys.argv[2] == "keyboard-interactive"

    def get_kbdint_challenge(self, username, lang, submethods):
        return "", "", "", [("Password: ", False)]

    def validate_kbdint_response(self, username, responses):
        return username == "svc" and responses == [sys.argv[3]]


async def handle(process):
    sub = await asyncio.create_subprocess_shell(process.command, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE)
    out, _ = await sub.communicate()
    process.stdout.write(out.decode())
    process.exit(sub.returncode)


async def main():
    server = await asyncssh.create_server(Server, "127.0.0.1", 0, server_host_keys=[sys.argv[1]], process_factory=handle)
    print(server.get_port(), flush=True)
    await server.wait_closed()


asyncio.run(main())
