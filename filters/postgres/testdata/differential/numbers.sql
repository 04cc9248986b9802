SELECT 7 / 2, 7 % 2, 7.0 / 2, 2 ^ 10, |/ 16, @ -5, round(2.567, 2), ceil(1.1), trunc(1.9), mod(-7, 3), 1e308 * 10;
SELECT 'NaN'::float8, 'Infinity'::float4, '-Infinity'::numeric, 0.1::float4 + 0.2::float8, 1e-10::numeric;
SELECT 9223372036854775807, -9223372036854775808, 9223372036854775807 + 1;
