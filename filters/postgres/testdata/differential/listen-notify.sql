LISTEN ch;
NOTIFY ch, 'payload';
SELECT 1;
SELECT pg_notify('ch', 'other');
UNLISTEN *;
NOTIFY ch;
SELECT pg_notify('', 'x');
