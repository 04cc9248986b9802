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
