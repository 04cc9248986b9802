-- rename-column block
ALTER TABLE customers RENAME COLUMN ssn TO note2;

-- rename-table block
ALTER TABLE customers RENAME TO clients;

-- move-table block
ALTER TABLE customers SET SCHEMA other;

-- rename-schema block
ALTER SCHEMA public RENAME TO publ;

-- inherit block
ALTER TABLE customers INHERIT customers_eu;

-- no-inherit block
ALTER TABLE customers NO INHERIT customers_eu;
