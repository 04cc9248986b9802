SELECT pg_sleep(0.01); SELECT pg_try_advisory_xact_lock(7); SELECT pg_advisory_unlock(99);
