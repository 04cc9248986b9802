SET timezone = 'UTC';
SELECT '2024-02-29'::date + 1, '2024-01-31'::timestamp + interval '1 month', age('2024-01-01', '2000-02-29'), extract(dow from date '2024-01-01'), date_trunc('quarter', timestamp '2024-05-17 12:34'), to_char(timestamptz '2024-01-01 00:00+00', 'YYYY-MM-DD HH24:MI TZ');
SET timezone = 'America/New_York';
SELECT timestamptz '2024-07-01 12:00+00', timestamptz '2024-01-01 12:00+00' AT TIME ZONE 'Asia/Tokyo';
SET datestyle = 'German, DMY'; SELECT date '2024-03-04', timestamp '2024-03-04 05:06:07.89';
SET intervalstyle = 'iso_8601'; SELECT interval '1 year 2 days 3 hours';
