-- What may pass in a network its policy says (0004), which was made of these rules.
ALTER TABLE network DROP COLUMN rules;
