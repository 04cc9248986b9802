CREATE TABLE t (a int NOT NULL, b varchar(10) DEFAULT 'q');
SELECT column_name, data_type, is_nullable, column_default FROM information_schema.columns WHERE table_name = 't' ORDER BY 1;
SELECT table_name FROM information_schema.tables WHERE table_schema = 'public';
