-- processlist block
SELECT info FROM information_schema.processlist;
-- show-processlist block
SHOW FULL PROCESSLIST;
-- mysql-user block
SELECT user, authentication_string FROM mysql.user;
-- global-priv block
SELECT * FROM mysql.global_priv;
-- general-log block
SELECT * FROM mysql.general_log;
-- column-stats block
SELECT * FROM mysql.column_stats;
-- histograms block
SELECT * FROM information_schema.column_statistics;
-- innodb-trx block
SELECT trx_query FROM information_schema.innodb_trx;
-- fulltext-index block
SELECT word FROM information_schema.innodb_ft_index_table;
-- performance block
SELECT sql_text FROM performance_schema.events_statements_history;
-- performance-digest block
SELECT * FROM performance_schema.events_statements_summary_by_digest;
-- data-locks block
SELECT lock_data FROM performance_schema.data_locks;
-- sys block
SELECT * FROM sys.statement_analysis;
-- buffer-page block
SELECT * FROM information_schema.innodb_buffer_page;
-- show-engine block
SHOW ENGINE INNODB STATUS;
-- show-create-user block
SHOW CREATE USER CURRENT_USER();
-- show-where block
SHOW TABLES WHERE (SELECT ssn FROM corpus.customers WHERE id=1) LIKE '219%';
-- show-like-subquery block
SHOW VARIABLES WHERE Variable_name = (SELECT ssn FROM corpus.customers WHERE id=1);
-- optimizer-trace block
SELECT trace FROM information_schema.optimizer_trace;
-- upper-schema block
SELECT INFO FROM INFORMATION_SCHEMA.PROCESSLIST;
-- profiling block
SHOW PROFILES;
-- show-create-view mask
SHOW CREATE VIEW contacts;
-- show-create-procedure safe
SHOW CREATE PROCEDURE dump;
-- show-create-function safe
SHOW CREATE FUNCTION first_ssn;
-- show-warnings-after block
SELECT id FROM customers WHERE ssn = 1;
-- show-profiles block
SHOW PROFILES;
-- show-binlog block
SHOW BINLOG EVENTS;
-- show-relaylog block
SHOW RELAYLOG EVENTS;
-- show-open-tables safe
SHOW OPEN TABLES;
-- show-full-processlist block
SHOW FULL PROCESSLIST;
-- show-columns-where block
SHOW COLUMNS FROM customers WHERE (SELECT ssn FROM customers WHERE id=1) LIKE '219%';
-- digest-by-name block
SELECT DIGEST_TEXT, QUERY_SAMPLE_TEXT FROM performance_schema.events_statements_summary_by_digest;
-- statements-history block
SELECT SQL_TEXT FROM performance_schema.events_statements_history_long;
-- statements-current block
SELECT sql_text FROM performance_schema.events_statements_current;
-- prepared-instances block
SELECT SQL_TEXT FROM performance_schema.prepared_statements_instances;
-- user-variables-table block
SELECT * FROM performance_schema.user_variables_by_thread;
-- session-attrs block
SELECT * FROM performance_schema.session_connect_attrs;
-- threads block
SELECT PROCESSLIST_INFO FROM performance_schema.threads;
-- information-user-variables safe
SELECT * FROM information_schema.USER_VARIABLES;
-- query-cache-info block
SELECT * FROM information_schema.QUERY_CACHE_INFO;
-- innodb-ft-index block
SELECT * FROM information_schema.INNODB_FT_INDEX_TABLE;
-- innodb-page-lru block
SELECT * FROM information_schema.INNODB_BUFFER_PAGE_LRU;
-- innodb-locks block
SELECT * FROM information_schema.INNODB_LOCKS;
-- optimizer-trace-enable block
SET optimizer_trace='enabled=on';
SELECT id FROM customers WHERE ssn > '2';
SELECT * FROM information_schema.OPTIMIZER_TRACE;
-- processlist-backticks block
SELECT `INFO` FROM `information_schema` . `PROCESSLIST`;
-- processlist-view block
CREATE VIEW spy AS SELECT info FROM information_schema.processlist;
-- processlist-derived block
SELECT * FROM (SELECT info FROM information_schema.processlist) AS p;
-- sys-statements block
SELECT query FROM sys.statement_analysis;
-- sys-processlist block
SELECT * FROM sys.x$processlist;
-- mysql-proc safe
SELECT body FROM mysql.proc;
-- mysql-slow-log block
SELECT sql_text FROM mysql.slow_log;
-- mysql-table-stats block
SELECT * FROM mysql.innodb_index_stats;
-- mysql-help safe
SELECT name FROM mysql.help_topic LIMIT 1;
-- mysql-tables-priv safe
SELECT * FROM mysql.tables_priv;
-- use-mysql block
USE mysql;
SELECT authentication_string FROM user;
-- use-performance block
USE performance_schema;
SELECT SQL_TEXT FROM events_statements_history;
-- use-information block
USE information_schema;
SELECT INFO FROM PROCESSLIST;
