-- For whom a key acts: it may assign only what that user may. Empty: for nobody.
ALTER TABLE api_key ADD COLUMN user TEXT NOT NULL DEFAULT '';
