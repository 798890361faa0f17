-- EFA block 1 to 6 of an instant; the blocks start at 23, 03, 07, 11, 15 and 19 London time.
CREATE MACRO efa_block_of(instant) AS (hour(timezone('Europe/London', instant)) + 1) % 24 // 4 + 1;
