CREATE EXTENSION hstore; SELECT 'a=>1, b=>NULL'::hstore -> 'a'; SELECT hstore(ROW(1, 2));
CREATE EXTENSION nosuch; DROP EXTENSION hstore;
CREATE EXTENSION pgcrypto; SELECT encode(digest('a', 'sha256'), 'hex');
CREATE EXTENSION citext; SELECT 'A'::citext = 'a';
