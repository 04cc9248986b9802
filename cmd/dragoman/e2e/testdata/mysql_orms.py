"""What SQLAlchemy, aiomysql and asyncmy do through the gateway, over TLS. argv: port, token."""
import asyncio
import decimal
import ssl
import sys

import aiomysql
import asyncmy
import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

port, token = int(sys.argv[1]), sys.argv[2]
tls = ssl.create_default_context()
tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE


class Base(DeclarativeBase):
    pass


class Parent(Base):
    __tablename__ = "orm_parent"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(50), unique=True)
    data: Mapped[dict] = mapped_column(sa.JSON, nullable=True)
    children: Mapped[list["Child"]] = relationship(back_populates="parent")


class Child(Base):
    __tablename__ = "orm_child"
    id: Mapped[int] = mapped_column(primary_key=True)
    parent_id: Mapped[int] = mapped_column(sa.ForeignKey("orm_parent.id"))
    amount: Mapped[decimal.Decimal] = mapped_column(sa.Numeric(10, 2))
    parent: Mapped[Parent] = relationship(back_populates="children")


def sqlalchemy():
    e = sa.create_engine(sa.URL.create("mysql+pymysql", "agent", token, "127.0.0.1", port, "shop"), connect_args={"ssl": tls})
    Base.metadata.create_all(e)
    with Session(e) as s:
        # MariaDB gives the numbers of many rows by RETURNING.
        s.add(Parent(name="\u00e9 \"x\"", data={"a": [1, 2]}, children=[Child(amount="1.50"), Child(amount="2.25")]))
        s.add_all([Parent(name=f"n{i}") for i in range(50)])
        s.commit()
        r = s.execute(sa.select(Parent).where(Parent.name == "\u00e9 \"x\"")).scalar_one()
        assert r.data == {"a": [1, 2]} and len(r.children) == 2, r.data
        assert s.execute(sa.select(sa.func.sum(Child.amount))).scalar() == decimal.Decimal("3.75")
        r.name = "other"
        s.commit()
        with s.begin_nested():
            s.add(Parent(name="nested"))
        s.rollback()
        assert s.execute(sa.select(sa.func.count()).select_from(Parent)).scalar() == 51
        upsert = sa.dialects.mysql.insert(Parent).values(name="n1")
        s.execute(upsert.on_duplicate_key_update(data=upsert.inserted.data))
        s.execute(sa.delete(Child).where(Child.amount > 2))
        s.commit()
        rows = s.execute(sa.text("SELECT email, ssn FROM customers WHERE id = :id"), {"id": 1}).all()
        assert tuple(rows[0]) == ("c***@example.com", "[redacted]"), rows
        try:
            s.execute(sa.text("SELECT id FROM customers WHERE ssn LIKE '2%'"))
            raise SystemExit("a probe was not refused")
        except sa.exc.DBAPIError as x:
            assert "1142" in str(x), x
        s.rollback()
        if e.dialect.is_mariadb:
            q = "INSERT INTO customers (id) VALUES (1) ON DUPLICATE KEY UPDATE id = 1 RETURNING email, ssn, CONCAT('x', ssn)"
            assert tuple(s.execute(sa.text(q)).all()[0]) == ("c***@example.com", "[redacted]", "[redacted]")
            s.rollback()
    i = sa.inspect(e)
    assert "orm_child" in i.get_table_names() and len(i.get_columns("orders")) == 4 and i.get_foreign_keys("orm_child") and i.get_indexes("orders")
    sa.MetaData().reflect(e)
    Base.metadata.drop_all(e)


async def pool(mod):
    p = await mod.create_pool(minsize=1, maxsize=3, host="127.0.0.1", port=port, user="agent", password=token, db="shop", ssl=tls)

    async def one(i):
        async with p.acquire() as c, c.cursor() as cur:
            await cur.execute("SELECT email, %s FROM customers WHERE id = %s", (i, 1))
            assert tuple((await cur.fetchall())[0]) == ("c***@example.com", i)
            await cur.executemany("INSERT INTO orders (customer_id, note) VALUES (%s, %s)", [(1, f"aio {i} {k}") for k in range(5)])
            await c.rollback()

    await asyncio.gather(*[one(i) for i in range(10)])
    p.close()
    await p.wait_closed()


sqlalchemy()
asyncio.run(pool(aiomysql))
asyncio.run(pool(asyncmy))
print("ok sqlalchemy, aiomysql, asyncmy")
