"""What PyMySQL and mysql-connector-python do through the gateway. argv: client, port, token, tls (0 or 1)."""
import sys

name, port, token, tls = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4] == "1"


def connect():
    if name == "pymysql":
        import pymysql
        import pymysql.cursors
        import ssl
        ctx = None
        if tls:
            ctx = ssl.create_default_context()
            ctx.check_hostname, ctx.verify_mode = False, ssl.CERT_NONE
        return pymysql, pymysql.connect(host="127.0.0.1", port=port, user="agent", password=token, database="shop", ssl=ctx, local_infile=True)
    import mysql.connector
    args = dict(host="127.0.0.1", port=port, user="agent", password=token, database="shop", ssl_disabled=not tls,
                use_pure=name == "connector", allow_local_infile=True)
    if not tls:
        args["auth_plugin"] = "mysql_clear_password"
    return mysql.connector, mysql.connector.connect(**args)


mod, db = connect()
cur = db.cursor()


def rows(q, args=None):
    cur.execute(q, args)
    return cur.fetchall()


assert rows("SELECT email, ssn FROM customers WHERE id = %s", (1,))[0][:2] == ("c***@example.com", "[redacted]"), "masks"
assert rows("SELECT balance, born FROM customers WHERE id = 1")[0][0] == __import__("decimal").Decimal("12.50")
cur.execute("INSERT INTO orders (customer_id, total, note) VALUES (%s, %s, %s)", (2, 5, "from " + name + " é '\"\\"))
assert cur.lastrowid > 0 and cur.rowcount == 1
db.rollback()
assert rows("SELECT COUNT(*) FROM orders WHERE note LIKE 'from %'") == [(0,)] or rows("SELECT COUNT(*) FROM orders WHERE note LIKE 'from %'")[0][0] == 0
try:
    rows("SELECT id FROM customers WHERE ssn LIKE '2%'")
    raise SystemExit("a probe was not refused")
except mod.Error as e:
    assert e.args[0] == 1142 or getattr(e, "errno", 0) == 1142, e
    assert "rule: " in str(e), e
assert rows("SELECT 1+1")[0][0] == 2, "usable after a refusal"
if hasattr(db, "ping"):
    db.ping(reconnect=False)
if name.startswith("connector"):
    p = db.cursor(prepared=True)
    for i in (1, 2):
        p.execute("SELECT id, email, card, balance, born FROM customers WHERE id = %s", (i,))
        r = p.fetchall()[0]
        assert r[0] == i and str(r[2]) == "[redacted]", r
    p.execute("INSERT INTO orders (note) VALUES (%s)", ("x" * 200,))
    db.rollback()
    p.close()
    db.cmd_reset_connection()
    cur = db.cursor()
    assert rows("SELECT DATABASE()")[0][0] in ("shop", None)
    db.cmd_init_db("shop")
    assert rows("SELECT DATABASE()")[0][0] == "shop"
    big = db.cursor(buffered=False)
    big.execute("SELECT id FROM orders ORDER BY id")
    assert len(big.fetchall()) >= 3
else:
    import pymysql.cursors
    with db.cursor(pymysql.cursors.SSCursor) as c:
        c.execute("SELECT id FROM orders ORDER BY id")
        assert len(c.fetchall()) >= 3
    db.select_db("shop")
    try:
        open("/tmp/dragoman-infile.txt", "w").write("1\n")
        rows("LOAD DATA LOCAL INFILE '/tmp/dragoman-infile.txt' INTO TABLE loaded (a)")
        raise SystemExit("LOCAL INFILE was not refused")
    except pymysql.Error as e:
        assert e.args[0] == 1142, e
db.close()
print("ok", name)
