SELECT txid_current() > 0; SELECT pg_current_xact_id_if_assigned() IS NULL; BEGIN; SELECT now() = now(), clock_timestamp() >= now(); COMMIT;
