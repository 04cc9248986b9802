DROP TABLE IF EXISTS nothere;
CREATE TABLE IF NOT EXISTS t (a int);
CREATE TABLE IF NOT EXISTS t (a int);
TRUNCATE t;
SET client_min_messages = error;
DROP TABLE IF EXISTS nothere;
