"""asyncpg (its own implementation of the protocol, binary only) against PostgreSQL, direct or through the gateway."""
import asyncio
import datetime
import decimal
import os
import uuid

import asyncpg

GATEWAY = os.environ["DRAGOMAN_GATEWAY"] == "true"


async def types(conn):
    for name, value in [
        ("int2", 7), ("int4", -70000), ("int8", 1 << 40), ("float4", 1.5), ("float8", 1.25), ("numeric", decimal.Decimal("12345.6789")),
        ("bool", True), ("text", "naïve ☃"), ("varchar", "v"), ("bytea", b"\x00\xff"), ("date", datetime.date(2024, 2, 29)),
        ("timestamp", datetime.datetime(2024, 2, 29, 1, 2, 3, 4)), ("time", datetime.time(1, 2, 3)),
        ("timestamptz", datetime.datetime(2024, 2, 29, 1, 2, 3, tzinfo=datetime.timezone.utc)),
        ("interval", datetime.timedelta(days=3, seconds=4)), ("uuid", uuid.uuid4()), ("int4[]", [1, None, 3]),
        ("text[]", ["a", "b,c"]), ("jsonb", '{"a": 1}'), ("int4range", asyncpg.Range(1, 5)),
    ]:
        got = await conn.fetchval(f"SELECT $1::{name}", value)
        assert got == value, (name, got, value)


async def prepared(conn):
    st = await conn.prepare("SELECT name FROM people WHERE id = $1")
    for i in range(10):
        assert await st.fetchval(i + 1) == f"person {i + 1}"
    await conn.executemany("INSERT INTO work (who, v, n) VALUES ('asyncpg', $1, $2)", [("many", i) for i in range(50)])
    assert await conn.fetchval("SELECT count(*) FROM work WHERE who = 'asyncpg'") == 50


async def transactions(conn):
    async with conn.transaction():
        await conn.execute("INSERT INTO work (who, v, n) VALUES ('asyncpg', 'tx', 100)")
        try:
            async with conn.transaction():
                await conn.execute("INSERT INTO work (who, v, n) VALUES ('asyncpg', 'twice', 100)")
        except asyncpg.UniqueViolationError as e:
            assert e.sqlstate == "23505"
    assert await conn.fetchval("SELECT v FROM work WHERE who = 'asyncpg' AND n = 100") == "tx"
    async with conn.transaction():
        rows = [r["id"] async for r in conn.cursor("SELECT id FROM people ORDER BY id", prefetch=7)]
    assert rows == list(range(1, 101))


async def copying(conn):
    await conn.copy_records_to_table("work", columns=["who", "v", "n"], records=[("acopy", "v", i) for i in range(3000)])
    size = 0

    async def sink(data):
        nonlocal size
        size += len(data)

    assert await conn.copy_from_query("SELECT n FROM work WHERE who = 'acopy'", output=sink, format="csv") == "COPY 3000"
    assert size > 3000 * 2, size


async def notify(conn):
    got = asyncio.get_running_loop().create_future()
    await conn.add_listener("asyncpg_channel", lambda c, pid, channel, payload: got.set_result(payload))
    await conn.execute("NOTIFY asyncpg_channel, 'hello'")
    assert await asyncio.wait_for(got, 60) == ("[redacted]" if GATEWAY else "hello")
    await conn.reset()


async def cancel(conn):
    try:
        await conn.execute("SELECT pg_sleep(200)", timeout=2)
    except (asyncio.TimeoutError, TimeoutError):
        pass
    else:
        raise AssertionError("not cancelled")
    assert await asyncio.wait_for(conn.fetchval("SELECT 3"), 60) == 3


async def masked(conn):
    r = await conn.fetchrow("SELECT email, ssn, pin, born FROM people WHERE id = $1", 1)
    assert r["born"] == datetime.date(1970, 1, 2)
    if GATEWAY:
        assert r["email"].endswith("@example.com") and "person.1" not in r["email"], r
        assert (r["ssn"], r["pin"]) == ("[redacted]", 0), r
    else:
        assert (r["email"], r["ssn"], r["pin"]) == ("person.1@example.com", "123-45-6001", 1001), r


async def refused(conn, rule, sql, *args):
    try:
        await conn.fetch(sql, *args)
    except asyncpg.InsufficientPrivilegeError as e:
        assert rule in e.detail and e.hint, (e.detail, e.hint)
    else:
        raise AssertionError("not refused: " + sql)


async def policy(conn):
    await refused(conn, "no-off-limits", "SELECT * FROM off_limits WHERE id = $1", 1)
    await refused(conn, "no-truncate", "TRUNCATE work")
    assert await conn.fetchval("SELECT 4") == 4
    async with conn.transaction():
        await refused(conn, "no-off-limits", "SELECT * FROM off_limits WHERE id = $1", 1)
        assert await conn.fetchval("SELECT 5") == 5
    assert await conn.execute("UPDATE held SET v = $1 WHERE id = 2", "asyncpg") == "UPDATE 1"


async def main():
    conn = await asyncpg.connect(ssl=False)
    for step in [types, prepared, transactions, copying, notify, cancel, masked] + ([policy] if GATEWAY else []):
        print(step.__name__, flush=True)
        await asyncio.wait_for(step(conn), 60)
    await conn.close()
    async with asyncpg.create_pool(ssl=False, min_size=3, max_size=3) as pool:
        got = await asyncio.gather(*[pool.fetchval("SELECT $1::int", i) for i in range(60)])
    assert got == list(range(60))


asyncio.run(main())
print("passed")
