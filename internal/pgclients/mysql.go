package pgclients

import (
	"context"
	"os"
	"path/filepath"

	"dragoman.dev/dragoman/internal/pinned"
)

// MySQLPython returns a folder for PYTHONPATH with PyMySQL and mysql-connector-python.
func MySQLPython(ctx context.Context, dir string) (string, error) {
	return ensure(dir, "mysql-python", "", func(home string) error {
		return pinned.Pip(ctx, home, "mysql-requirements.txt", ".")
	}, "mysql-requirements.txt")
}

// MySQLNode returns a folder for NODE_PATH with mysql2.
func MySQLNode(ctx context.Context, dir string) (string, error) {
	home, err := ensure(dir, "mysql-node", "", func(home string) error {
		for _, name := range []string{"package.json", "package-lock.json"} {
			if err := os.Rename(filepath.Join(home, "mysql-"+name), filepath.Join(home, name)); err != nil {
				return err
			}
		}
		return command(ctx, home, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
	}, "mysql-package.json", "mysql-package-lock.json")
	return filepath.Join(home, "node_modules"), err
}

// The JDBC drivers of MySQL (Connector/J) and MariaDB, and the SHA-256 of their jars.
const (
	connectorJ       = "com.mysql:mysql-connector-j:9.7.0"
	connectorJJar    = "mysql-connector-j-9.7.0.jar"
	connectorJSHA256 = "0353648eaa1c91e0f4020c959abf756bc866ffd583df22ae6b6f6e0cbd43eb44"

	mariadbJ       = "org.mariadb.jdbc:mariadb-java-client:3.5.7"
	mariadbJJar    = "mariadb-java-client-3.5.7.jar"
	mariadbJSHA256 = "07bb1229dc184f3313a5aef4c5a6b3207c8dbaa09db4a26814c936f004b4c526"
)

// MySQLJDBC returns a class path with both drivers.
func MySQLJDBC(ctx context.Context, dir string) (string, error) {
	home, err := ensure(dir, "mysql-java", connectorJ+connectorJSHA256+mariadbJ+mariadbJSHA256, func(home string) error {
		for artifact, jar := range map[string][2]string{connectorJ: {connectorJJar, connectorJSHA256}, mariadbJ: {mariadbJJar, mariadbJSHA256}} {
			if err := command(ctx, home, "mvn", "-q", "-B", "dependency:copy", "-Dartifact="+artifact, "-DoutputDirectory=."); err != nil {
				return err
			}
			if err := pinned.CheckSHA256(filepath.Join(home, jar[0]), jar[1]); err != nil {
				return err
			}
		}
		return nil
	})
	return filepath.Join(home, connectorJJar) + ":" + filepath.Join(home, mariadbJJar), err
}
