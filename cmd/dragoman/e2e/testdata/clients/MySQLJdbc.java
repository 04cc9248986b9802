import java.io.ByteArrayInputStream;
import java.math.BigDecimal;
import java.sql.*;
import java.util.*;

/** Connector/J and MariaDB's JDBC driver through the gateway. argv: driver (mysql or mariadb), port, token, tls (0 or 1), server. */
public class MySQLJdbc {
    static String driver, base, token;
    
    static byte[] binary;

    static void check(boolean ok, Object detail) {
        if (!ok) throw new AssertionError(String.valueOf(detail));
    }

    static Connection open(String options) throws SQLException {
        Properties p = new Properties();
        p.setProperty("user", "agent");
        p.setProperty("password", token);
        return DriverManager.getConnection(base + options, p);
    }

    interface Step { void run(Connection c) throws Exception; }

    static void masked(Connection c) throws Exception {
        try (PreparedStatement s = c.prepareStatement("SELECT id, email, ssn, balance, born FROM customers WHERE id = ?")) {
            for (int i = 0; i < 3; i++) {
                s.setInt(1, 1);
                try (ResultSet r = s.executeQuery()) {
                    check(r.next(), "no row");
                    check(r.getInt(1) == 1 && r.getString(2).equals("c***@example.com") && r.getString(3).equals("[redacted]"), r.getString(2));
                    check(r.getBigDecimal(4).equals(new BigDecimal("12.50")) && r.getDate(5).equals(java.sql.Date.valueOf("1980-02-03")), r.getDate(5));
                    check(!r.next(), "two rows");
                }
            }
        }
        try (PreparedStatement s = c.prepareStatement("SELECT LENGTH(?), HEX(?), ? IS NULL, ? + 1")) {
            s.setString(1, "na\u00efve \u2603");
            s.setBytes(2, binary);
            s.setNull(3, Types.VARCHAR);
            s.setLong(4, 1L << 40);
            try (ResultSet r = s.executeQuery()) {
                check(r.next() && r.getInt(1) == 10 && r.getString(2).equals(HexFormat.of().withUpperCase().formatHex(binary)) && r.getInt(3) == 1 && r.getLong(4) == (1L << 40) + 1, r.getString(1) + r.getString(2));
            }
        }
    }

    static void batch(Connection c) throws Exception {
        c.setAutoCommit(false);
        try (PreparedStatement s = c.prepareStatement("INSERT INTO orders (customer_id, total, note) VALUES (?, ?, ?)", Statement.RETURN_GENERATED_KEYS)) {
            for (int i = 0; i < 200; i++) {
                s.setInt(1, i);
                s.setBigDecimal(2, new BigDecimal("1.25"));
                s.setString(3, "batch ' \\ \u00e9 " + i);
                s.addBatch();
            }
            check(s.executeBatch().length == 200, "batch");
            try (ResultSet keys = s.getGeneratedKeys()) {
                check(keys.next() && keys.getLong(1) > 0, "keys");
            }
        }
        try (Statement s = c.createStatement()) {
            for (int i = 0; i < 3; i++) s.addBatch("UPDATE orders SET total = " + i + " WHERE note = 'batch \\' \\\\ \u00e9 7'");
            int[] n = s.executeBatch();
            check(n.length == 3 && n[0] == 1, Arrays.toString(n));
            Savepoint p = c.setSavepoint("p1");
            s.executeUpdate("DELETE FROM loaded WHERE a = 1");
            c.rollback(p);
        }
        c.rollback();
        c.setAutoCommit(true);
        try (Statement s = c.createStatement(); ResultSet r = s.executeQuery("SELECT COUNT(*) FROM orders WHERE note LIKE 'batch%'")) {
            check(r.next() && r.getInt(1) == 0, "not rolled back");
        }
    }

    /** Rows in portions, from a cursor of the server's where the options ask for one, and as they come. */
    static void cursors(Connection c) throws Exception {
        for (int size : new int[] {1, 2, Integer.MIN_VALUE}) {
            if (size < 0 && driver.equals("mariadb")) continue;
            try (PreparedStatement s = c.prepareStatement("SELECT id, email FROM customers WHERE id > ? ORDER BY id", ResultSet.TYPE_FORWARD_ONLY, ResultSet.CONCUR_READ_ONLY)) {
                s.setFetchSize(size);
                s.setInt(1, 0);
                try (ResultSet r = s.executeQuery()) {
                    int n = 0;
                    while (r.next()) check(r.getInt(1) == ++n && r.getString(2).contains("***@"), r.getString(2));
                    check(n == 2, n + " rows");
                }
            }
        }
    }

    static void streams(Connection c) throws Exception {
        byte[] body = new byte[100000];
        new Random(1).nextBytes(body);
        if (binary[0] != 0) for (int i = 0; i < body.length; i++) body[i] &= 0x7f;
        try (PreparedStatement s = c.prepareStatement("SELECT LENGTH(?), MD5(?)")) {
            s.setBinaryStream(1, new ByteArrayInputStream(body), body.length);
            s.setBytes(2, body);
            try (ResultSet r = s.executeQuery()) {
                byte[] sum = java.security.MessageDigest.getInstance("MD5").digest(body);
                check(r.next() && r.getInt(1) == body.length && r.getString(2).equals(HexFormat.of().formatHex(sum)), r.getString(1));
            }
        }
    }

    static void meta(Connection c) throws Exception {
        DatabaseMetaData m = c.getMetaData();
        int n = 0;
        try (ResultSet r = m.getColumns("shop", null, "customers", "%")) {
            while (r.next()) n++;
        }
        check(n == 7, n + " columns");
        try (ResultSet r = m.getPrimaryKeys("shop", null, "customers")) {
            check(r.next() && r.getString("COLUMN_NAME").equals("id"), "primary key");
        }
        try (ResultSet r = m.getTables("shop", null, "%", new String[] {"TABLE"})) {
            check(r.next(), "no tables");
        }
        check(c.isValid(5), "ping");
        c.setCatalog("shop");
        check("shop".equals(c.getCatalog()), c.getCatalog());
    }

    static void refused(Connection c) throws Exception {
        for (int i = 0; i < 2; i++) {
            for (String q : new String[] {"SELECT id FROM customers WHERE ssn LIKE '2%'", "DELETE FROM customers", "SELECT LOAD_FILE('/etc/passwd')"}) {
                try (PreparedStatement s = c.prepareStatement(q)) {
                    s.execute();
                    check(false, "not refused: " + q);
                } catch (SQLException e) {
                    check(e.getErrorCode() == 1142 && "42000".equals(e.getSQLState()) && e.getMessage().contains("rule: "), e);
                }
            }
            try (Statement s = c.createStatement(); ResultSet r = s.executeQuery("SELECT 4")) {
                check(r.next() && r.getInt(1) == 4, "after a refusal");
            }
        }
    }

    /** cancel() is KILL QUERY on a second connection; one that comes before the statement has begun hits nothing. */
    static void cancel(Connection c) throws Exception {
        try (Statement s = c.createStatement()) {
            Timer timer = new Timer(true);
            timer.schedule(new TimerTask() { public void run() { try { s.cancel(); } catch (SQLException e) { e.printStackTrace(); } } }, 500, 1000);
            try (ResultSet r = s.executeQuery("SELECT SLEEP(100)")) {
                check(r.next() && r.getInt(1) == 1, "slept on"); // SLEEP alone says 1 when it is ended
            } finally {
                timer.cancel();
            }
        } catch (SQLException e) {
            check(e.getErrorCode() == 1317 || e.getErrorCode() == 1927 || e instanceof SQLTimeoutException || e.getMessage().contains("cancelled"), e);
        }
    }

    static void several(Connection c) throws Exception {
        try (Statement s = c.createStatement()) {
            check(s.execute("SELECT email FROM customers WHERE id = 1; SELECT 2"), "no result");
            ResultSet r = s.getResultSet();
            check(r.next() && r.getString(1).equals("c***@example.com"), "first");
            check(s.getMoreResults(), "no second");
            r = s.getResultSet();
            check(r.next() && r.getInt(1) == 2, "second");
        }
    }

    public static void main(String[] args) throws Exception {
        driver = args[0];
        token = args[2];
        boolean tls = args[3].equals("1");

        String ssl = driver.equals("mysql") ? "sslMode=REQUIRED" : tls ? "sslMode=trust" : "sslMode=disable";
        base = "jdbc:" + driver + "://127.0.0.1:" + args[1] + "/shop?" + ssl + "&allowMultiQueries=true&connectTimeout=20000&";
        Map<String, Step> steps = new LinkedHashMap<>();
        steps.put("masked", MySQLJdbc::masked);
        steps.put("batch", MySQLJdbc::batch);
        steps.put("cursors", MySQLJdbc::cursors);
        steps.put("streams", MySQLJdbc::streams);
        steps.put("meta", MySQLJdbc::meta);
        steps.put("refused", MySQLJdbc::refused);
        steps.put("several", MySQLJdbc::several);
        steps.put("cancel", MySQLJdbc::cancel);
        String[] options = driver.equals("mysql")
            ? new String[] {"", "useServerPrepStmts=true&useCursorFetch=true&cachePrepStmts=true", "rewriteBatchedStatements=true"}
            : new String[] {"", "useServerPrepStmts=true&useBulkStmts=true"};
        for (int i = 0; i < options.length; i++) {
            // MariaDB's driver writes bytes as they are into a text, where they are no UTF-8: these need a prepared statement.
            binary = driver.equals("mariadb") && i == 0 ? new byte[] {1, 39, 92, 65} : new byte[] {0, -1, 39, 92};
            try (Connection c = open(options[i])) {
                for (var step : steps.entrySet()) {
                    if (step.getKey().equals("cancel") && i > 0) continue;
                    System.out.println(driver + " '" + options[i] + "' " + step.getKey());
                    step.getValue().run(c);
                }
            }
        }
        System.out.println("ok " + driver);
    }
}
