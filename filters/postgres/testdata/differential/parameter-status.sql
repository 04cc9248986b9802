SET application_name = 'my app'; SHOW application_name; SET timezone TO 'Europe/Berlin'; SHOW timezone; SET datestyle TO ISO; SHOW datestyle;
SET application_name = 'zażółć'; SHOW application_name;
