#!/usr/bin/env python3
"""Verifies an audit store from docs/audit-format.md and docs/record-format.md
alone, without Dragoman's code.

    verify.py --key record.pub [--checkpoint KEPT] [--witness VKEY]...
              [--data-keys FILE] FOLDER...

FOLDER is a copy of the audit folder (the one with `sessions` and `log` in it).
Prints what is wrong, then one line a folder; exits 1 if anything is wrong.
Needs two packages from PyPI: cryptography (Ed25519, AES) and zstandard (sealed
records are compressed). All else is the standard library.
"""
import argparse, base64, hashlib, json, os, re, struct, sys

import zstandard
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

MAX_PAYLOAD, MAX_BLOCK = 16777216, 17825856
SESSION = re.compile(rb"[0-9A-Za-z_-]{1,64}\Z")
NUMBER = re.compile(r"(0|[1-9][0-9]{0,19})\Z")
TIME = re.compile(r"(0|-?[1-9][0-9]{0,18})\Z")
ORIGIN = re.compile(r"[!-*,-~]{1,200}\Z")


class Bad(Exception):
    pass


class Cut(Bad):
    """The frames end inside a frame."""


def check(ok, what):
    if not ok:
        raise Bad(what)


def sha(*parts):
    h = hashlib.sha256()
    for p in parts:
        h.update(p)
    return h.digest()


def unb64(s, length=None):
    """Base64 in its one encoding."""
    try:
        b = base64.b64decode(s, validate=True)
    except ValueError:
        raise Bad("base64")
    check(base64.b64encode(b).decode() == s and length in (None, len(b)), "base64")
    return b


def signed(key, text, signature):
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, text)
        return True
    except (InvalidSignature, ValueError):
        return False


# Records: docs/record-format.md


class Chain:
    """Frames in order; at[n] is (stream length, hash) after n frames."""

    def __init__(self, session):
        self.session, self.seq, self.offset, self.time, self.kind, self.flags = session, 0, 0, -(1 << 63), 0, 0
        self.prev = sha(b"drgses1\0", struct.pack(">HH", 1, len(session)), session)
        self.at = {0: (0, self.prev)}

    def frames(self, b):
        pos = 0
        while pos < len(b):
            where = "frame %d: " % self.seq
            check(self.kind != 8, where + "after the close frame")
            if len(b) - pos < 32:
                raise Cut(where + "cut off")
            n, kind, flags, zero, seq, time, _ = struct.unpack_from(">IBBHQqQ", b, pos)
            check(n <= MAX_PAYLOAD and kind != 0 and flags & ~1 == 0 and zero == 0, where + "header")
            check(seq == self.seq and time >= self.time, where + "out of order")
            end = pos + 32 + n
            if len(b) < end + 32:
                raise Cut(where + "cut off")
            h = sha(b"drgfrm1\0", self.prev, b[pos:end])
            check(h == b[end:end + 32], where + "changed")
            if seq == 0:
                try:
                    same = kind == 1 and json.loads(b[pos + 32:end])["session"]["id"].encode() == self.session
                except (ValueError, KeyError, TypeError, AttributeError):
                    same = False
                check(same, where + "not the open frame of this session")
            self.prev, self.seq, self.time, self.kind, self.flags = h, seq + 1, time, kind, flags
            self.offset += 64 + n
            self.at[self.seq] = (self.offset, h)
            pos = end + 32

    @property
    def lost(self):
        return self.kind == 8 and self.flags & 1 == 1


def padded(b, n):
    session = b[:n]
    check(SESSION.match(session) and b == session.ljust(64, b"\0"), "session id")
    return session


def live(b):
    """A segment 0. What is wrong with its frames is returned beside those before it."""
    check(len(b) >= 160 and b[:8] == b"DRGSEG\r\n" and sha(b[:128]) == b[128:160], "segment header")
    version, n, number, seq, offset = struct.unpack(">HHIQQ", b[8:32])
    chain = Chain(padded(b[32:96], n))
    check(version == 1 and (number, seq, offset) == (0, 0, 0) and b[96:128] == chain.prev, "segment header")
    try:
        chain.frames(b[160:])
    except Cut:
        pass  # it grows
    return chain


def unzstd(b, n):
    try:
        d = zstandard.ZstdDecompressor().decompressobj()
        raw = d.decompress(b)
        check(d.eof and not d.unused_data and len(raw) == n, "block: zstd")
        return raw
    except zstandard.ZstdError:
        raise Bad("block: zstd")


class Unread:
    """What the footer of an encrypted record says, whose frames were not looked at."""

    def __init__(self, session):
        self.session, self.seq, self.offset, self.prev, self.lost = session, 0, 0, None, False


def derive(key, salt, info):
    return AESGCM(HKDF(SHA256(), 32, salt, info).derive(key))


def growing(b, where, key):
    """The text of an encrypted body that grows."""
    check(len(b) >= 48 and b[8:16] == b"\0\1" + bytes(6), "body header")
    aead, at, text = derive(key, b[16:48], b"dragoman growing body v1 " + where), 48, b""
    while at + 4 <= len(b):
        n = struct.unpack(">I", b[at:at + 4])[0]
        check(0 < n <= 1 << 20, "chunk")
        if at + 32 + n > len(b):
            break
        try:
            text += aead.decrypt(b[at + 4:at + 16], b[at + 16:at + 32 + n], struct.pack(">QI", len(text), n))
        except InvalidTag:
            raise Bad("chunk: encryption")
        at += 32 + n
    return text


def sealed(b, key=None):
    """Returns the chain and the file's own hash."""
    check(len(b) >= 16 and b[:8] == b"DRGSEAL\n", "header")
    version, n, zero = struct.unpack(">HHI", b[8:16])
    check(version in (1, 2) and zero == 0, "version")
    head = 80 if version == 1 else 112
    check(len(b) >= head + 32 + 8 + 104 and sha(b[:head]) == b[head:head + 32], "header")
    session, foot = padded(b[16:80], n), b[-104:]
    aead = derive(key, b[80:112], b"dragoman sealed record v2 " + session) if version == 2 and key else None
    chain = Chain(session) if version == 1 or aead else Unread(session)
    check(foot[:8] == b"DRGEND\r\n" and sha(b[:-32]) == foot[72:], "footer, or the file's hash")
    flags, zero, frames, length, index = struct.unpack(">IIQQQ", foot[8:40])
    check(flags & ~3 == 0 and zero == 0 and index <= len(b) - 112, "footer")
    entries, at = [], head + 32
    while at < index:
        check(b[at:at + 4] == b"BLK1" and at + 40 <= index, "block")
        zlen, n, count, seq, time, offset = struct.unpack(">IIIQqQ", b[at + 4:at + 40])
        check(n <= MAX_BLOCK and seq == chain.seq and offset == chain.offset and at + 40 + zlen <= index, "block header")
        entries.append(struct.pack(">QQqQ", at, seq, time, offset))
        at += 40 + zlen
        if isinstance(chain, Unread):
            chain.seq, chain.offset = chain.seq + count, chain.offset + n
            continue
        raw = b[at - zlen:at]
        if aead:
            try:
                raw = aead.decrypt(struct.pack(">IQ", 0, len(entries) - 1), raw, b[at - zlen - 40:at - zlen])
            except InvalidTag:
                raise Bad("block: encryption")
        raw = unzstd(raw, n)
        check(len(raw) >= 64 and struct.unpack(">q", raw[16:24])[0] == time, "block: time")
        chain.frames(raw)
        check(chain.seq - seq == count, "block: number of frames")
    check(at == index and b[index:-104] == b"IDX1" + struct.pack(">I", len(entries)) + b"".join(entries), "index")
    if isinstance(chain, Unread):
        chain.prev, chain.lost = foot[40:72], flags & 2 == 2
        check(chain.seq > 0 and (chain.seq, chain.offset) == (frames, length), "footer does not match the blocks")
        return chain, foot[72:]
    check(chain.seq > 0 and (chain.seq, chain.offset, chain.prev) == (frames, length, foot[40:72]), "footer does not match the frames")
    check(bool(flags & 1) == (chain.kind == 8) and bool(flags & 2) == chain.lost, "footer flags")
    return chain, foot[72:]


# The log: docs/audit-format.md


def root(hashes):
    if len(hashes) <= 1:
        return hashes[0] if hashes else sha(b"")
    k = 1 << (len(hashes) - 1).bit_length() - 1
    return sha(b"\1", root(hashes[:k]), root(hashes[k:]))


def number_path(n):
    text = "%03d" % (n % 1000)
    while n >= 1000:
        n //= 1000
        text = "x%03d/%s" % (n % 1000, text)
    return text


def read(*path):
    try:
        with open(os.path.join(*path), "rb") as f:
            return f.read()
    except (FileNotFoundError, NotADirectoryError):
        return None


class Checkpoint:
    def __init__(self, raw):
        self.text, sep, signatures = raw.partition(b"\n\n")
        try:
            lines, signatures = self.text.decode("ascii").split("\n"), signatures.decode()
        except UnicodeDecodeError:
            raise Bad("checkpoint: not text")
        self.text += b"\n"
        check(sep and len(raw) <= 65536 and len(lines) == 3 and ORIGIN.match(lines[0]) and NUMBER.match(lines[1]), "checkpoint: malformed")
        self.origin, self.size, self.root = lines[0], int(lines[1]), unb64(lines[2], 32)
        check(self.size < 1 << 63, "checkpoint: malformed")
        check(signatures.endswith("\n"), "checkpoint: signatures cut off")
        self.signatures = []
        for line in signatures[:-1].split("\n"):
            m = re.match("— ([^ +]+) ([^ ]+)\\Z", line)
            check(m, "checkpoint: signature line")
            b = unb64(m.group(2))
            check(len(b) >= 5, "checkpoint: signature line")
            self.signatures.append((m.group(1), b[:4], b[4:]))
        ids = [s[:2] for s in self.signatures]
        check(len(ids) == len(set(ids)), "checkpoint: a signature twice")

    def signature(self, name, kind, key):
        key_id = sha(name.encode() + b"\n", bytes([kind]), key)[:4]
        return next((s for n, i, s in self.signatures if (n, i) == (name, key_id)), None)

    def signed_by(self, keys):
        found = [(k, self.signature(self.origin, 1, k)) for k in keys]
        found = [(k, s) for k, s in found if s]
        check(found and all(signed(k, self.text, s) for k, s in found), "checkpoint: not signed by the log's key")

    def cosigned_by(self, vkey):
        name, _, b = vkey.split("+", 2)
        b = unb64(b)
        check(len(b) == 33 and b[0] in (1, 4), "witness key")
        s = self.signature(name, 4, b[1:])
        check(s and len(s) == 72, "witness %s did not cosign" % name)
        text = b"cosignature/v1\ntime %d\n" % struct.unpack(">Q", s[:8]) + self.text
        check(signed(b[1:], text, s[8:]), "witness %s: its signature does not verify" % name)


class Leaf:
    def __init__(self, entry):
        try:
            lines = entry.decode("ascii").split("\n")
        except UnicodeDecodeError:
            raise Bad("no entry of a known kind")
        check(len(lines) == 9 and lines[0] == "dragoman record leaf v1" and lines[8] == "" and len(entry) <= 1024, "no entry of a known kind")
        _, self.state, self.session, frames, length, hash, file, time, _ = lines
        self.final = self.state in ("closed", "lost")
        check((self.final or self.state == "running") and SESSION.match(self.session.encode()), "malformed entry")
        check(NUMBER.match(frames) and NUMBER.match(length) and TIME.match(time), "malformed entry")
        check(re.match("[0-9a-f]{64}\\Z", hash) and re.match("[0-9a-f]{64}\\Z" if self.final else "-\\Z", file), "malformed entry")
        self.frames, self.place = int(frames), (int(length), bytes.fromhex(hash))
        self.file = bytes.fromhex(file) if self.final else None


class Deletion:
    def __init__(self, entry):
        try:
            lines = entry.decode("ascii").split("\n")
        except UnicodeDecodeError:
            raise Bad("malformed deletion")
        check(len(lines) == 9 and lines[8] == "" and len(entry) <= 1024, "malformed deletion")
        _, self.session, frames, length, hash, file, reason, time, _ = lines
        check(SESSION.match(self.session.encode()) and reason in ("retention", "request"), "malformed deletion")
        check(NUMBER.match(frames) and NUMBER.match(length) and TIME.match(time), "malformed deletion")
        check(re.match("[0-9a-f]{64}\\Z", hash) and re.match("[0-9a-f]{64}\\Z", file), "malformed deletion")
        self.what = int(frames), (int(length), bytes.fromhex(hash)), bytes.fromhex(file)


class Log:
    """Everything but the records: entries, tiles, root, keys, signatures."""

    def __init__(self, folder, bad):
        self.folder, self.bad, self.hashes, self.leaves, self.keys, self.until, self.head = folder, bad, [], {}, [], [], None
        self.deleted = set()
        raw = read(folder, "checkpoint")
        if raw is None:
            return bad("log: there is no checkpoint")
        try:
            self.head = Checkpoint(raw)
            for n in range(0, self.head.size, 256):
                self.bundle(n // 256)
        except Bad as e:
            return bad("log: %s" % e)
        self.tiles()
        if root(self.hashes) != self.head.root:
            bad("log: the entries are not those that the checkpoint is of")

    def file(self, path, want):
        """What has want elements, and whether it is the file of exactly that width."""
        if want < 256:
            b = read(self.folder, "%s.p/%d" % (path, want))
            if b is not None:
                return b, True
        return read(self.folder, path), want == 256

    @staticmethod
    def split(b, want):
        entries, pos = [], 0
        while len(entries) < want and pos + 2 <= len(b):
            n = struct.unpack_from(">H", b, pos)[0]
            if pos + 2 + n > len(b):
                break
            entries.append(b[pos + 2:pos + 2 + n])
            pos += 2 + n
        return entries, len(b) - pos

    def bundle(self, index):
        want, path = min(self.head.size - index * 256, 256), "tile/entries/" + number_path(index)
        b, exact = self.file(path, want)
        check(b is not None, "entries from %d are missing" % (index * 256))
        entries, rest = self.split(b, want)
        check(len(entries) == want, "entries from %d are cut off" % (index * 256 + len(entries)))
        check(rest == 0 or not exact, "something behind the entries in " + path)
        for e in entries:
            self.entry(len(self.hashes), e)
            self.hashes.append(sha(b"\0", e))

    def entry(self, n, e):
        try:
            if e.startswith(b"dragoman log key v1\n"):
                return self.key_change(n, e)
            if e.startswith(b"dragoman record deletion v1\n"):
                d = Deletion(e)
                final, _ = self.leaves.get(d.session, ([], []))
                check(final and d.what == (final[-1].frames, final[-1].place, final[-1].file) and d.session not in self.deleted,
                      "session %s: a record was deleted that it did not have" % d.session)
                return self.deleted.add(d.session)
            leaf = Leaf(e)
            check(leaf.session not in self.deleted, "session %s goes on after its record was deleted" % leaf.session)
            final, running = self.leaves.setdefault(leaf.session, ([], []))
            (final if leaf.final else running).append(leaf)
            check(all((f.frames, f.place) == (final[0].frames, final[0].place) for f in final), "session %s has two ends" % leaf.session)
        except Bad as e:
            self.bad("log: entry %d: %s" % (n, e))

    def key_change(self, n, e):
        try:
            lines = e.decode("ascii").split("\n")
        except UnicodeDecodeError:
            raise Bad("change of keys: malformed")
        check(len(lines) == 8 and lines[7] == "" and TIME.match(lines[4]), "change of keys: malformed")
        old, new, text = unb64(lines[2], 32), unb64(lines[3], 32), "\n".join(lines[:5]).encode() + b"\n"
        check(signed(old, text, unb64(lines[5], 64)) and signed(new, text, unb64(lines[6], 64)), "change of keys: signature")
        check(lines[1] == self.head.origin, "change of keys: of another log")
        self.keys = self.keys or [old]
        check(self.keys[-1] == old, "change of keys: that key did not sign then")
        self.keys.append(new)
        self.until.append(n + 1)

    def tiles(self):
        row, total, level = self.hashes, self.head.size, 0
        while total:
            for index in range((total + 255) // 256):
                want, path = min(total - index * 256, 256), "tile/%d/%s" % (level, number_path(index))
                b, exact = self.file(path, want)
                expect = b"".join(row[index * 256:index * 256 + want])
                if b is None:
                    self.bad("log: %s is missing" % path)
                elif b[:len(expect)] != expect or len(b) % 32 or len(b) > 8192 or (exact and len(b) != len(expect)):
                    self.bad("log: %s, or the entries of it, are changed" % path)
            row = [root(row[i:i + 256]) for i in range(0, len(row) - 255, 256)]
            total, level = total // 256, level + 1

    def keys_at(self, size):
        n = len(self.until)
        return [k for i, k in enumerate(self.keys) if (i == 0 or size >= self.until[i - 1]) and (i == n or size <= self.until[i])]

    def verify(self, key, kept, witnesses):
        if self.head is None:
            return
        try:
            self.keys = self.keys or [key]
            check(key in self.keys, "no key of this log is the one that was given")
            self.head.signed_by(self.keys_at(self.head.size))
            for w in witnesses:
                self.head.cosigned_by(w)
            if kept is not None:
                old = Checkpoint(kept)
                check(old.origin == self.head.origin, "forked: the kept checkpoint is of another log")
                check(old.size <= self.head.size, "rolled back: it had %d entries" % old.size)
                old.signed_by(self.keys_at(old.size))
                check(old.size > len(self.hashes) or root(self.hashes[:old.size]) == old.root, "forked: not the log of the kept checkpoint")
        except Bad as e:
            self.bad("log: %s" % e)


# Records against the log


class Store:
    def __init__(self, folder, keys):
        self.folder, self.problems, self.records, self.chains, self.data, self.unread = folder, [], 0, {}, keys, 0
        self.log = Log(os.path.join(folder, "log"), self.problems.append)

    def verify(self, key, kept, witnesses):
        self.log.verify(key, kept, witnesses)
        for where, dirs, names in os.walk(os.path.join(self.folder, "sessions")):
            dirs.sort()
            for name in sorted(names, key=lambda n: (n.endswith(".drs"), n)):  # live ones first
                session, ext = os.path.splitext(name)
                if ext in (".drs", ".live") and SESSION.match(session.encode()):
                    self.records += 1
                    try:
                        self.record(where, session, ext)
                    except Bad as e:
                        self.problems.append("%s: %s" % (name, e))
        for session, (final, _) in sorted(self.log.leaves.items()):
            if session not in self.log.deleted and not any(ext == ".drs" or not final for _, ext in self.chains.get(session, {})):
                self.problems.append("%s: missing" % session)

    def record(self, where, session, ext):
        seen = self.chains.setdefault(session, {})
        seen[where, ext] = None
        check(all(w == where for w, _ in seen), "twice")
        final, running = self.log.leaves.get(session, ([], []))
        b = read(where, session + ext)
        if ext == ".live":
            hash, key = None, self.data.get(session)
            if b[:8] == b"DRGBODY\n" and key:
                name = os.path.relpath(os.path.join(where, session + ext), self.folder).replace(os.sep, "/")
                b = growing(b, name.encode(), key)
            if b[:8] == b"DRGBODY\n":
                chain = Unread(session.encode())
            else:
                # An empty one is a file that was just made.
                chain = live(b) if b else Chain(session.encode())
                self.prefixes(chain, running + final)
        else:
            chain, hash = sealed(b, self.data.get(session))
        self.unread += isinstance(chain, Unread)
        check(chain.session == session.encode(), "it is the record of another session")
        seen[where, ext] = chain
        if ext == ".live":
            return
        beside = seen.get((where, ".live"))
        if not final:
            check(beside is not None and (isinstance(beside, Unread) or beside.prev == chain.prev), "added: the log does not have it")
            return
        last = final[-1]
        check(chain.seq >= last.frames, "truncated: %d frames, the log has %d" % (chain.seq, last.frames))
        check(chain.seq == last.frames, "added frames: %d, the log has %d" % (chain.seq, last.frames))
        check((chain.offset, chain.prev) == last.place and chain.lost == (last.state == "lost"), "replaced: not the record that the log has")
        check(hash == last.file, "changed around the frames")
        self.prefixes(chain, running)

    @staticmethod
    def prefixes(chain, leaves):
        for leaf in leaves:
            check(leaf.frames <= chain.seq, "truncated: %d frames, the log has %d" % (chain.seq, leaf.frames))
            check(isinstance(chain, Unread) or chain.at[leaf.frames] == leaf.place, "replaced: its first %d frames are not those of the log" % leaf.frames)


def main():
    p = argparse.ArgumentParser(description="Verify a copy of an audit folder.")
    p.add_argument("--key", required=True, help="record.pub")
    p.add_argument("--checkpoint", help="one that was kept elsewhere")
    p.add_argument("--witness", action="append", default=[], help="verifier key of a witness that must have cosigned")
    p.add_argument("--data-keys", help="JSON: an object of sessions and their data keys in hexadecimal; others' frames are not looked at")
    p.add_argument("folder", nargs="+")
    args = p.parse_args()
    with open(args.key, "rb") as f:
        key = load_pem_public_key(f.read()).public_bytes(Encoding.Raw, PublicFormat.Raw)
    kept = None
    if args.checkpoint:
        with open(args.checkpoint, "rb") as f:
            kept = f.read()
    keys = {}
    if args.data_keys:
        with open(args.data_keys) as f:
            keys = {session: bytes.fromhex(k) for session, k in json.load(f).items()}
    status = 0
    for folder in args.folder:
        s = Store(folder, keys)
        s.verify(key, kept, args.witness)
        for problem in s.problems:
            print("  " + problem)
        print("%s: %d records (%d encrypted, not opened; %d deleted), %d entries: %s" % (folder, s.records, s.unread, len(s.log.deleted), len(s.log.hashes),
              "%d problems" % len(s.problems) if s.problems else "whole"))
        status |= bool(s.problems)
    sys.exit(status)


if __name__ == "__main__":
    main()
