SELECT rolname FROM pg_roles WHERE rolname = current_user; SELECT has_table_privilege('pg_class', 'select');
