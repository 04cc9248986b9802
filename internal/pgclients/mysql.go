package pgclients

import (
	"context"
	"os"
	"path/filepath"
)

// MySQLPython returns a folder for PYTHONPATH with PyMySQL and mysql-connector-python.
func MySQLPython(ctx context.Context, dir string) (string, error) {
	return ensure(dir, "mysql-python", "", func(home string) error {
		return command(ctx, home, "python3", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input",
			"--no-deps", "--only-binary", ":all:", "--require-hashes", "--requirement", "mysql-requirements.txt", "--target", ".")
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
