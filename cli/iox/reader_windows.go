package iox

// HoldReader does nothing here: the next write tells that the reader of a pipe has gone.
func (o *IO) HoldReader() (free func()) { return func() {} }
