import java.io.StringReader;
import java.io.StringWriter;
import java.math.BigDecimal;
import java.sql.*;
import java.time.*;
import java.util.*;
import org.postgresql.PGConnection;
import org.postgresql.PGNotification;
import org.postgresql.util.PSQLException;
import org.postgresql.util.PSQLState;

/** The PostgreSQL JDBC driver against PostgreSQL, direct or through the gateway. */
public class JdbcClient {
    static final boolean GATEWAY = "true".equals(System.getenv("DRAGOMAN_GATEWAY"));

    interface Step { void run(Connection c) throws Exception; }

    static void check(boolean ok, Object detail) {
        if (!ok) throw new AssertionError(String.valueOf(detail));
    }

    static Connection open(String options) throws SQLException {
        String url = "jdbc:postgresql://127.0.0.1:" + System.getenv("PGPORT") + "/" + System.getenv("PGDATABASE") + "?" + options;
        return DriverManager.getConnection(url, System.getenv("PGUSER"), System.getenv("PGPASSWORD"));
    }

    static void types(Connection c) throws Exception {
        Object[][] values = {
            {"int4", -70000}, {"int8", 1L << 40}, {"float8", 1.5}, {"numeric", new BigDecimal("12345.6789")}, {"bool", true},
            {"text", "na\u00efve \u2603"}, {"uuid", UUID.randomUUID()}, {"date", java.sql.Date.valueOf("2024-02-29")},
            {"timestamp", Timestamp.valueOf("2024-02-29 01:02:03.000004")}};
        for (Object[] v : values) {
            try (PreparedStatement s = c.prepareStatement("SELECT ?::" + v[0])) {
                for (int i = 0; i < 7; i++) { // past the threshold: server-prepared, then binary
                    s.setObject(1, v[1]);
                    ResultSet r = s.executeQuery();
                    r.next();
                    check(v[1].equals(r.getObject(1)), v[0] + ": " + r.getObject(1));
                }
            }
        }
        try (PreparedStatement s = c.prepareStatement("SELECT ?::bytea, ?::int4[], ?::text")) {
            s.setBytes(1, new byte[] {0, -1, 1});
            s.setArray(2, c.createArrayOf("int4", new Integer[] {1, null, 3}));
            s.setNull(3, Types.VARCHAR);
            ResultSet r = s.executeQuery();
            r.next();
            check(Arrays.equals(r.getBytes(1), new byte[] {0, -1, 1}), "bytea");
            check(Arrays.equals((Integer[]) r.getArray(2).getArray(), new Integer[] {1, null, 3}), "array");
            check(r.getString(3) == null, "null");
        }
    }

    static void batch(Connection c, String who) throws Exception {
        try (PreparedStatement s = c.prepareStatement("INSERT INTO work (who, v, n) VALUES (?, ?, ?)")) {
            for (int i = 0; i < 500; i++) {
                s.setString(1, who);
                s.setString(2, "batch");
                s.setInt(3, i);
                s.addBatch();
            }
            check(s.executeBatch().length == 500, "batch");
        }
        try (PreparedStatement s = c.prepareStatement("INSERT INTO work (who, v, n) VALUES (?, 'keys', 1000)", Statement.RETURN_GENERATED_KEYS)) {
            s.setString(1, who);
            s.executeUpdate();
            ResultSet r = s.getGeneratedKeys();
            check(r.next() && r.getLong("id") > 0, "generated keys");
        }
    }

    static void transactions(Connection c, String who) throws Exception {
        c.setAutoCommit(false);
        try (Statement s = c.createStatement()) {
            s.executeUpdate("INSERT INTO work (who, v, n) VALUES ('" + who + "', 'tx', 2000)");
            Savepoint p = c.setSavepoint();
            try {
                s.executeUpdate("INSERT INTO work (who, v, n) VALUES ('" + who + "', 'twice', 2000)");
                check(false, "no unique violation");
            } catch (SQLException e) {
                check("23505".equals(e.getSQLState()), e.getSQLState());
            }
            c.rollback(p);
            c.commit();
            s.setFetchSize(7); // a portal with a row limit
            ResultSet r = s.executeQuery("SELECT id, ssn FROM people ORDER BY id");
            int n = 0;
            while (r.next()) {
                check(r.getInt(1) == ++n, n);
                check(r.getString(2).startsWith("123-45-") != GATEWAY, r.getString(2));
            }
            check(n == 100, n);
            c.commit();
        }
        c.setAutoCommit(true);
    }

    static void copying(Connection c, String who) throws Exception {
        StringBuilder lines = new StringBuilder();
        for (int i = 0; i < 2000; i++) lines.append(who).append(",copied,").append(3000 + i).append('\n');
        var copy = c.unwrap(PGConnection.class).getCopyAPI();
        check(copy.copyIn("COPY work (who, v, n) FROM STDIN (FORMAT csv)", new StringReader(lines.toString())) == 2000, "copy in");
        StringWriter out = new StringWriter();
        check(copy.copyOut("COPY (SELECT n FROM work WHERE who = '" + who + "' AND n >= 3000) TO STDOUT", out) == 2000, "copy out");
    }

    static void masked(Connection c) throws Exception {
        try (PreparedStatement s = c.prepareStatement("SELECT email, ssn, pin, born FROM people WHERE id = ?")) {
            for (int i = 0; i < 8; i++) {
                s.setInt(1, 1);
                ResultSet r = s.executeQuery();
                r.next();
                String email = r.getString(1), ssn = r.getString(2);
                int pin = r.getInt(3);
                check(r.getDate(4).equals(java.sql.Date.valueOf("1970-01-02")), r.getDate(4));
                if (GATEWAY) {
                    check(email.endsWith("@example.com") && !email.contains("person.1"), email);
                    check(ssn.equals("[redacted]") && pin == 0, ssn + " " + pin);
                } else {
                    check(email.equals("person.1@example.com") && ssn.equals("123-45-6001") && pin == 1001, email);
                }
            }
        }
        // The driver asks the catalogs for this.
        ResultSet r = c.getMetaData().getColumns(null, "public", "people", null);
        int n = 0;
        while (r.next()) n++;
        check(n == 6, "columns: " + n);
        r = c.getMetaData().getPrimaryKeys(null, "public", "people");
        check(r.next() && r.getString("COLUMN_NAME").equals("id"), "primary key");
    }

    static void cancel(Connection c) throws Exception {
        try (Statement s = c.createStatement()) {
            Timer timer = new Timer(true);
            timer.schedule(new TimerTask() { public void run() { try { s.cancel(); } catch (SQLException e) { e.printStackTrace(); } } }, 500, 1000); // one that comes before the statement has begun hits nothing
            try {
                s.execute("SELECT pg_sleep(200)");
                check(false, "not cancelled");
            } finally {
                timer.cancel();
            }
        } catch (SQLException e) {
            check("57014".equals(e.getSQLState()), e);
        }
    }

    static void notify(Connection c) throws Exception {
        try (Statement s = c.createStatement()) {
            s.execute("LISTEN jdbc_channel");
            s.execute("NOTIFY jdbc_channel, 'hello'");
        }
        PGNotification[] got = c.unwrap(PGConnection.class).getNotifications(5000);
        check(got != null && got.length == 1 && got[0].getParameter().equals(GATEWAY ? "[redacted]" : "hello"), "notification");
    }

    static void refused(Connection c, String rule, String sql) throws Exception {
        for (int i = 0; i < 3; i++) {
            try (PreparedStatement s = c.prepareStatement(sql)) {
                s.execute();
                check(false, "not refused: " + sql);
            } catch (PSQLException e) {
                check("42501".equals(e.getSQLState()), e);
                check(e.getServerErrorMessage().getDetail().contains(rule), e);
                check(e.getServerErrorMessage().getHint() != null, e);
            }
            try (Statement s = c.createStatement(); ResultSet r = s.executeQuery("SELECT 4")) {
                check(r.next() && r.getInt(1) == 4, "after a refusal");
            }
        }
    }

    static void policy(Connection c, int row) throws Exception {
        refused(c, "no-truncate", "TRUNCATE work");
        refused(c, "no-off-limits", "SELECT * FROM off_limits");
        try (PreparedStatement s = c.prepareStatement("UPDATE held SET v = ? WHERE id = ?")) {
            s.setString(1, "jdbc");
            s.setInt(2, row);
            check(s.executeUpdate() == 1, "held update");
            check(s.getWarnings() != null && s.getWarnings().getMessage().contains("hld_"), "no notice of the hold");
        }
    }

    static void suite(String options, String who, int row) throws Exception {
        try (Connection c = open(options)) {
            Map<String, Step> steps = new LinkedHashMap<>();
            steps.put("types", JdbcClient::types);
            steps.put("batch", x -> batch(x, who));
            steps.put("transactions", x -> transactions(x, who));
            steps.put("copying", x -> copying(x, who));
            steps.put("masked", JdbcClient::masked);
            steps.put("cancel", JdbcClient::cancel);
            steps.put("notify", JdbcClient::notify);
            if (GATEWAY) steps.put("policy", x -> policy(x, row));
            for (var step : steps.entrySet()) {
                System.out.println(who + " " + step.getKey());
                step.getValue().run(c);
            }
        }
    }

    public static void main(String[] args) throws Exception {
        suite("", "jdbc", 4);
        suite("prepareThreshold=1&reWriteBatchedInserts=true&binaryTransfer=true", "jdbc-prepared", 5);
        suite("preferQueryMode=simple", "jdbc-simple", 6);
        System.out.println("passed");
    }
}
