"""Verifies records from docs/record-format.md alone, without Dragoman's code.

    verify.py FILE...      a segment, a .live file or a sealed file each

Prints one line a file: the session, frames and last hash, or what is wrong;
exits 1 if anything is. Blocks are decompressed by the command in $UNZSTD
(default "zstd -dc"), from its standard input to its standard output.
"""
import hashlib, json, os, shlex, struct, subprocess, sys

MAX_PAYLOAD, MAX_BLOCK = 16777216, 17825856


class Bad(Exception):
    pass


def sha(b):
    return hashlib.sha256(b).digest()


def check(ok, what):
    if not ok:
        raise Bad(what)


def root(session):
    return sha(b"drgses1\0" + struct.pack(">HH", 1, len(session)) + session)


class Chain:
    def __init__(self, session, seq, offset, prev):
        self.session, self.seq, self.offset, self.prev = session, seq, offset, prev
        self.time, self.kind, self.flags = -(1 << 63), 0, 0

    def frames(self, b):
        count = 0
        while b:
            at = "frame %d: " % self.seq
            check(self.kind != 8, at + "after the close frame")
            check(len(b) >= 64, at + "truncated")
            n, kind, flags, zero, seq, time, _ = struct.unpack(">IBBHQqQ", b[:32])
            check(n <= MAX_PAYLOAD and kind != 0 and flags & ~1 == 0 and zero == 0, at + "header")
            check(len(b) >= 64 + n, at + "truncated")
            check(seq == self.seq and time >= self.time, at + "out of order")
            h = sha(b"drgfrm1\0" + self.prev + b[:32 + n])
            check(h == b[32 + n:64 + n], at + "changed")
            if seq == 0:
                check(kind == 1 and json.loads(b[32:32 + n])["session"]["id"].encode() == self.session, at + "session")
            self.prev, self.seq, self.time, self.kind, self.flags = h, seq + 1, time, kind, flags
            self.offset += 64 + n
            b = b[64 + n:]
            count += 1
        return count


def segment(b):
    check(len(b) >= 160 and sha(b[:128]) == b[128:160], "segment header")
    version, idlen, _, seq, offset = struct.unpack(">HHIQQ", b[8:32])
    check(version == 1, "version")
    c = Chain(b[32:32 + idlen], seq, offset, b[96:128])
    check(seq > 0 or (c.prev == root(c.session) and offset == 0), "root")
    c.frames(b[160:])
    return c


def unzstd(b):
    cmd = shlex.split(os.environ.get("UNZSTD", "zstd -dc"))
    return subprocess.run(cmd, input=b, stdout=subprocess.PIPE, check=True).stdout


def sealed(b):
    check(len(b) >= 112 + 8 + 104 and sha(b[:80]) == b[80:112], "header")
    version, idlen, zero = struct.unpack(">HHI", b[8:16])
    check(version == 1 and zero == 0, "version")
    session = b[16:16 + idlen]
    foot = b[-104:]
    check(foot[:8] == b"DRGEND\r\n" and sha(b[:-32]) == foot[72:], "footer or file hash")
    flags, zero, frames, length, index = struct.unpack(">IIQQQ", foot[8:40])
    check(flags & ~3 == 0 and zero == 0, "footer flags")
    c, entries, at = Chain(session, 0, 0, root(session)), [], 112
    while at < index:
        check(b[at:at + 4] == b"BLK1", "block magic")
        zlen, n, count, seq, time, offset = struct.unpack(">IIIQqQ", b[at + 4:at + 40])
        check(n <= MAX_BLOCK and seq == c.seq and offset == c.offset, "block header")
        raw = unzstd(b[at + 40:at + 40 + zlen])
        check(len(raw) == n and struct.unpack(">q", raw[16:24])[0] == time, "block content")
        check(c.frames(raw) == count, "block's number of frames")
        entries.append(struct.pack(">QQqQ", at, seq, time, offset))
        at += 40 + zlen
    check(at == index and b[index:-104] == b"IDX1" + struct.pack(">I", len(entries)) + b"".join(entries), "index")
    check((c.seq, c.offset, c.prev) == (frames, length, foot[40:72]), "footer does not match the frames")
    check(bool(flags & 1) == (c.kind == 8) and bool(flags & 2) == (c.kind == 8 and c.flags & 1 == 1), "footer flags")
    return c


def main():
    status = 0
    for path in sys.argv[1:]:
        b = open(path, "rb").read()
        try:
            c = {b"DRGSEG\r\n": segment, b"DRGSEAL\n": sealed}.get(b[:8], lambda _: check(False, "magic"))(b)
            print(path, "ok", c.session.decode(), c.seq, c.prev.hex())
        except Bad as e:
            print(path, "BAD", e)
            status = 1
    sys.exit(status)


main()
