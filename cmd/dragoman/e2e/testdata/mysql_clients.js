// What mysql2 does through the gateway. argv: port, token, tls (0 or 1).
const mysql = require('mysql2/promise');
const [port, token, tls] = process.argv.slice(2);
const assert = require('assert');
(async () => {
  const options = { host: '127.0.0.1', port: Number(port), user: 'agent', password: token, database: 'shop', multipleStatements: true };
  if (tls === '1') options.ssl = { rejectUnauthorized: false };
  else options.authPlugins = { mysql_clear_password: () => () => Buffer.from(token + '\0') };
  const db = await mysql.createConnection(options);
  let [rows] = await db.query('SELECT email, ssn FROM customers WHERE id = ?', [1]);
  assert.deepStrictEqual([rows[0].email, rows[0].ssn], ['c***@example.com', '[redacted]']);
  [rows] = await db.execute('SELECT id, email, card, balance, born FROM customers WHERE id = ?', [2]);
  assert.strictEqual(rows[0].card, '[redacted]');
  assert.strictEqual(rows[0].balance, '3.20');
  for (let i = 0; i < 20; i++) {
    [rows] = await db.execute('SELECT ? + 1 AS n', [i]);
    assert.strictEqual(Number(rows[0].n), i + 1);
  }
  const [sets] = await db.query('SELECT 1 AS a; SELECT 2 AS b');
  assert.strictEqual(sets[1][0].b, 2);
  await assert.rejects(db.query("SELECT id FROM customers WHERE card LIKE '4%'"), (e) => e.errno === 1142 && /rule: /.test(e.message));
  await db.beginTransaction();
  await db.execute('INSERT INTO orders (customer_id, total, note) VALUES (?, ?, ?)', [1, 2.5, 'node']);
  await db.rollback();
  await db.ping();
  // Commands that are sent ahead are answered in order.
  const many = await Promise.all([1, 2, 3, 4, 5].map((i) => db.query('SELECT ? AS n', [i])));
  assert.deepStrictEqual(many.map(([r]) => r[0].n), [1, 2, 3, 4, 5]);
  await assert.rejects(db.changeUser({ user: 'other', password: 'x' }));
  db.destroy();
  console.log('ok mysql2');
})().catch((e) => { console.error(e); process.exit(1); });
