SELECT current_database(), current_schema, current_user = session_user, current_schemas(true), pg_backend_pid() > 0, inet_server_port() > 0, version() LIKE 'PostgreSQL%';
