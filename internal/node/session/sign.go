package session

import (
	"bytes"
	"errors"

	"github.com/cvlan/cvlan/proto/control"
	"github.com/cvlan/cvlan/proto/control/pb"
)

// sign signs a record of the node's own. It refuses one that names another node or other keys: a signature is the node's word that
// the keys are its own, and must not be lent.
func (i identity) sign(record []byte) (*pb.Signed, error) {
	if err := i.check(record); err != nil {
		return nil, err
	}
	signature, err := i.key.Sign(control.Transcript(i.tenant, i.network, record))
	if err != nil {
		return nil, err
	}
	return &pb.Signed{Record: record, Signature: signature}, nil
}

func (i identity) check(record []byte) error {
	r, err := control.ParseRecord(record)
	switch {
	case err != nil:
		return err
	case r.Node != i.node:
		return errors.New("the record is another node's")
	case r.Identity != i.key.Public():
		return errors.New("the record has another identity key")
	case r.WG != i.wg:
		return errors.New("the record has another WireGuard key")
	}
	return nil
}

// current returns the signature for the newest record known, made now if need be, and nil while there is no record, or the
// controller has a signature for it already, and it says what the node speaks. ECDSA signatures differ each time, so one that exists is kept.
func (s *Session) current() (*pb.Signed, error) {
	record, done := s.cfg.Table.Self()
	if record == nil {
		record = s.cfg.Membership.Record
	}
	if record == nil {
		return nil, nil
	}
	said := record
	if s.cfg.Speech != nil && !s.verbatim {
		if amended, err := control.Amend(record, s.cfg.Speech()); err == nil {
			said = amended
		}
	}
	if s.signed != nil && bytes.Equal(s.signed.Record, said) {
		return s.signed, nil
	}
	if done && bytes.Equal(said, record) {
		return nil, s.self.check(record)
	}
	signed, err := s.self.sign(said)
	if err != nil {
		return nil, err
	}
	s.signed = signed
	return signed, nil
}
