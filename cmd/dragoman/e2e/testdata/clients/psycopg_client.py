"""psycopg 3 against PostgreSQL, direct or through the gateway."""
import datetime
import decimal
import os
import threading
import uuid

import psycopg
from psycopg.types.json import Jsonb

GATEWAY = os.environ["DRAGOMAN_GATEWAY"] == "true"


def blocked(conn, sql, rule, params=None, **kw):
    """The statement is refused with the rule, and the connection goes on."""
    try:
        conn.execute(sql, params, **kw)
    except psycopg.errors.InsufficientPrivilege as e:
        assert e.sqlstate == "42501", e.sqlstate
        assert rule in e.diag.message_detail, e.diag.message_detail
        assert e.diag.message_hint, "no hint"
    else:
        raise AssertionError("not refused: " + sql)


def types(conn):
    values = [
        ("int2", 7), ("int4", -70000), ("int8", 1 << 40), ("float8", 1.5), ("numeric", decimal.Decimal("12345.6789")),
        ("bool", True), ("text", "naïve ☃ \\ ' \""), ("bytea", b"\x00\xff\x01"), ("date", datetime.date(2024, 2, 29)),
        ("timestamp", datetime.datetime(2024, 2, 29, 1, 2, 3, 4)), ("time", datetime.time(1, 2, 3)),
        ("timestamptz", datetime.datetime(2024, 2, 29, 1, 2, 3, tzinfo=datetime.timezone.utc)),
        ("interval", datetime.timedelta(days=3, seconds=4)), ("uuid", uuid.uuid4()), ("int4[]", [1, None, 3]), ("text[]", ["a", "b,c", ""]),
    ]
    for binary in (False, True):
        for fmt in ("%s", "%t", "%b"):
            for name, value in values:
                cur = conn.cursor(binary=binary)
                got = cur.execute(f"SELECT {fmt}::{name}", [value]).fetchone()[0]
                assert got == value, (binary, fmt, name, got, value)
        assert conn.cursor(binary=binary).execute("SELECT %s", [Jsonb({"a": [1]})]).fetchone()[0] == {"a": [1]}
        assert conn.cursor(binary=binary).execute("SELECT NULL::text, %s::text", [None]).fetchone() == (None, None)


def prepared(conn):
    for i in range(8):
        row = conn.execute("SELECT name FROM people WHERE id = %s", [i + 1], prepare=True).fetchone()
        assert row == (f"person {i + 1}",), row
    many = conn.cursor()
    many.executemany("INSERT INTO work (who, v, n) VALUES (%s, %s, %s)", [("psycopg", "many", i) for i in range(50)])
    assert conn.execute("SELECT count(*) FROM work WHERE who = 'psycopg'").fetchone() == (50,)


def transactions(conn):
    with conn.transaction():
        conn.execute("INSERT INTO work (who, v, n) VALUES ('psycopg', 'tx', 100)")
        try:
            with conn.transaction():
                conn.execute("INSERT INTO work (who, v, n) VALUES ('psycopg', 'inner', 101)")
                conn.execute("INSERT INTO work (who, v, n) VALUES ('psycopg', 'twice', 100)")
        except psycopg.errors.UniqueViolation as e:
            assert e.sqlstate == "23505"
        assert conn.info.transaction_status == psycopg.pq.TransactionStatus.INTRANS
    assert conn.execute("SELECT v FROM work WHERE who = 'psycopg' AND n >= 100").fetchall() == [("tx",)]
    try:
        conn.execute("SELECT 1 / 0")
    except psycopg.errors.DivisionByZero:
        pass
    assert conn.execute("SELECT 2").fetchone() == (2,)


def copying(conn):
    cur = conn.cursor()
    with cur.copy("COPY work (who, v, n) FROM STDIN") as c:
        for i in range(2000):
            c.write_row(("pcopy", "line\n\t\\" + "x" * 50, i))
    with cur.copy("COPY work (who, v, n) FROM STDIN (FORMAT binary)") as c:
        c.set_types(["text", "text", "int4"])
        for i in range(2000, 3000):
            c.write_row(("pcopy", "binary", i))
    with cur.copy("COPY (SELECT n FROM work WHERE who = 'pcopy' ORDER BY n) TO STDOUT") as c:
        rows = [r[0] for r in c.rows()]
    assert len(rows) == 3000 and rows[-1] == "2999", len(rows)
    with cur.copy("COPY work (who, v, n) TO STDOUT (FORMAT binary)") as c:
        assert sum(len(b) for b in c) > 1000
    try:
        with cur.copy("COPY work (who, v, n) FROM STDIN") as c:
            c.write_row(("pcopy", "bad", 3001))
            raise KeyboardInterrupt  # the client gives up: CopyFail
    except KeyboardInterrupt:
        pass
    assert conn.execute("SELECT count(*) FROM work WHERE who = 'pcopy'").fetchone() == (3000,)
    with cur.copy("COPY people TO STDOUT (FORMAT csv)") as c:
        text = b"".join(bytes(b) for b in c).decode()
    assert ("123-45-6001" in text) != GATEWAY, text[:200]


def cursors(conn):
    with conn.transaction(), conn.cursor("c1") as cur:
        cur.itersize = 7
        cur.execute("SELECT id, email FROM people ORDER BY id")
        rows = list(cur)
    assert len(rows) == 100
    assert (rows[0][1] == "person.1@example.com") != GATEWAY, rows[0]


def notify(conn):
    conn.execute("LISTEN psycopg_channel")
    conn.execute("NOTIFY psycopg_channel, 'hello'")
    for n in conn.notifies(timeout=10, stop_after=1):
        # Nobody knows where a payload comes from, so it is hidden while columns are masked.
        assert (n.channel, n.payload) == ("psycopg_channel", "[redacted]" if GATEWAY else "hello"), n
        return
    raise AssertionError("no notification")


def cancel(conn):
    done = threading.Event()

    def again():  # one that comes before the statement has begun hits nothing
        while not done.wait(0.5):
            conn.cancel_safe()

    thread = threading.Thread(target=again)
    thread.start()
    try:
        conn.execute("SELECT pg_sleep(200)")
    except psycopg.errors.QueryCanceled:
        pass
    else:
        raise AssertionError("not cancelled")
    finally:
        done.set()
        thread.join()
    assert conn.execute("SELECT 3").fetchone() == (3,)


def masked(conn):
    for binary in (False, True):
        cur = conn.cursor(binary=binary)
        email, ssn, pin, born = cur.execute("SELECT email, ssn, pin, born FROM people WHERE id = %s", [1]).fetchone()
        assert born == datetime.date(1970, 1, 2), born
        if GATEWAY:
            assert email.endswith("@example.com") and "person.1" not in email, email
            assert ssn == "[redacted]" and pin == 0, (ssn, pin)
        else:
            assert (email, ssn, pin) == ("person.1@example.com", "123-45-6001", 1001)


def policy(conn):
    blocked(conn, "TRUNCATE work", "no-truncate")
    blocked(conn, "SELECT * FROM off_limits WHERE id = %s", "no-off-limits", [1])
    blocked(conn, "SELECT * FROM off_limits WHERE id = %s", "no-off-limits", [1], prepare=True)
    assert conn.execute("SELECT 4").fetchone() == (4,)
    with conn.transaction():
        conn.execute("INSERT INTO work (who, v, n) VALUES ('psycopg', 'kept', 200)")
        blocked(conn, "TRUNCATE work", "no-truncate")
        # What psycopg was told is what the target says.
        assert conn.info.transaction_status == psycopg.pq.TransactionStatus.INTRANS
        assert conn.execute("SELECT count(*) FROM work WHERE n = 200 AND who = 'psycopg'").fetchone() == (1,)
    cur = conn.cursor()
    try:
        with cur.copy("COPY off_limits TO STDOUT") as c:
            list(c)
    except psycopg.errors.InsufficientPrivilege as e:
        assert "no-off-limits" in e.diag.message_detail
    else:
        raise AssertionError("COPY is not refused")
    notices = []
    conn.add_notice_handler(lambda d: notices.append(d.message_primary))
    assert conn.execute("UPDATE held SET v = %s WHERE id = 1", ["psycopg"]).rowcount == 1
    assert any("hld_" in n for n in notices), notices


def pipeline(conn):
    with conn.pipeline():
        curs = [conn.execute("SELECT %s::int", [i]) for i in range(100)]
    assert [c.fetchone()[0] for c in curs] == list(range(100))
    if not GATEWAY:
        return
    # A blocked statement in the middle: what is before it answers, what is behind is skipped.
    before = after = None
    try:
        with conn.pipeline() as p:
            before = conn.execute("SELECT 1")
            conn.execute("SELECT * FROM off_limits")
            after = conn.execute("SELECT 2")
            p.sync()
    except psycopg.errors.InsufficientPrivilege as e:
        assert "no-off-limits" in e.diag.message_detail
    else:
        raise AssertionError("not refused in a pipeline")
    assert before.fetchone() == (1,)
    assert after.pgresult is None or after.pgresult.status != psycopg.pq.ExecStatus.TUPLES_OK
    assert conn.execute("SELECT 5").fetchone() == (5,)


def large(conn):
    value = os.urandom(8 << 20)
    assert conn.execute("SELECT length(%b::bytea)", [value]).fetchone() == (8 << 20,)
    assert conn.cursor(binary=True).execute("SELECT repeat('x', 20000000)").fetchone()[0] == "x" * 20000000


with psycopg.connect(autocommit=True) as conn:
    steps = [types, prepared, transactions, copying, cursors, notify, cancel, masked, pipeline, large]
    if GATEWAY:
        steps.append(policy)
    for step in steps:
        print(step.__name__, flush=True)
        step(conn)
print("passed")
