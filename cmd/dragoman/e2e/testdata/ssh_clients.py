"""paramiko and asyncssh through the gateway: exec with both streams and a status, several channels, a terminal, files."""
import asyncio
import io
import os
import sys

import asyncssh
import paramiko

port, token, folder = int(sys.argv[1]), os.environ["DRAGOMAN_TEST_TOKEN"], sys.argv[2]


def with_paramiko():
    c = paramiko.SSHClient()
    c.load_host_keys(sys.argv[3])
    c.connect("127.0.0.1", port=port, username="web1", password=token, allow_agent=False, look_for_keys=False)
    for _ in range(3):
        stdin, out, err = c.exec_command("cat; echo oops >&2; exit 4")
        stdin.write("through paramiko\n")
        stdin.channel.shutdown_write()
        assert out.read() == b"through paramiko\n"
        assert err.read() == b"oops\n"
        assert out.channel.recv_exit_status() == 4
    _, out, err = c.exec_command("rm x")
    assert b"nothing is removed here" in err.read() and out.channel.recv_exit_status() == 126
    chan = c.invoke_shell(width=100, height=30)
    chan.send("stty size; exit\n")
    text = b""
    while part := chan.recv(4096):
        text += part
    assert b"30 100" in text, text
    sftp = c.open_sftp()
    data = os.urandom(300_000)
    sftp.putfo(io.BytesIO(data), folder + "/p")
    back = io.BytesIO()
    sftp.getfo(folder + "/p", back)
    assert back.getvalue() == data
    sftp.rename(folder + "/p", folder + "/q")
    assert "q" in sftp.listdir(folder)
    assert sftp.stat(folder + "/q").st_size == len(data)
    c.close()


async def with_asyncssh():
    async with asyncssh.connect("127.0.0.1", port, username="web1", password=token, known_hosts=sys.argv[3], client_keys=None, agent_path=None) as c:
        many = await asyncio.gather(*(c.run(f"echo {i}") for i in range(20)))
        assert [r.stdout for r in many] == [f"{i}\n" for i in range(20)]
        blocked = await c.run("rm x")
        assert blocked.exit_status == 126 and "nothing is removed here" in blocked.stderr
        r = await c.run("echo term=$TERM", term_type="vt100", term_size=(90, 20))
        assert "term=vt100" in r.stdout, r.stdout
        async with c.start_sftp_client() as sftp:
            data = os.urandom(300_000)
            async with sftp.open(folder + "/a", "wb") as f:
                await f.write(data)
            async with sftp.open(folder + "/a", "rb") as f:
                assert await f.read() == data
            await sftp.remove(folder + "/a")
            assert not await sftp.exists(folder + "/a")


with_paramiko()
asyncio.run(with_asyncssh())
print("all good")
