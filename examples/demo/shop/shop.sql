-- The demo database: customers with things worth hiding, and their orders.
CREATE ROLE dragoman_demo LOGIN PASSWORD '@PASSWORD@';
CREATE TABLE customers (
    id    integer PRIMARY KEY,
    name  text NOT NULL,
    email text NOT NULL,
    ssn   text NOT NULL,
    card  text NOT NULL,
    notes text
);
CREATE TABLE orders (
    id          integer PRIMARY KEY,
    customer_id integer NOT NULL REFERENCES customers (id),
    item        text NOT NULL,
    quantity    integer NOT NULL,
    amount      numeric(10, 2) NOT NULL,
    placed_at   timestamptz NOT NULL
);
CREATE INDEX ON orders (customer_id);
CREATE VIEW customer_totals AS
    SELECT c.id, c.name, c.email, count(o.id) AS orders, coalesce(sum(o.amount), 0) AS total
    FROM customers c LEFT JOIN orders o ON o.customer_id = c.id
    GROUP BY c.id, c.name, c.email;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO dragoman_demo;
