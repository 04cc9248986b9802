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
