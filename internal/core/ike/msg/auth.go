package msg

// Auth proves the sender's identity, §3.8.
type Auth struct {
	Method AuthMethod
	Data   []byte
}

// AuthMethod is how an Auth proves.
type AuthMethod uint8

const (
	AuthRSA       AuthMethod = 1 // PKCS#1 v1.5, and for most senders SHA-1
	AuthSharedKey AuthMethod = 2
	AuthECDSA256  AuthMethod = 9 // RFC 4754: P-256, SHA2-256, and the two below likewise
	AuthECDSA384  AuthMethod = 10
	AuthECDSA521  AuthMethod = 11
	AuthNull      AuthMethod = 13 // RFC 7619
	AuthSignature AuthMethod = 14 // RFC 7427: the data names the algorithm
)

func (Auth) Type() PayloadType { return TypeAuth }

// NewSignature makes the Auth of method AuthSignature of a DER AlgorithmIdentifier, at most 255 bytes long, and a signature.
func NewSignature(algorithm, signature []byte) (Auth, error) {
	if len(algorithm) == 0 || len(algorithm) > 255 {
		return Auth{}, &EncodeError{"AUTH", "the AlgorithmIdentifier has to have 1 to 255 bytes"}
	}
	data := make([]byte, 0, 1+len(algorithm)+len(signature))
	data = append(append(data, byte(len(algorithm))), algorithm...)
	return Auth{Method: AuthSignature, Data: append(data, signature...)}, nil
}

// Signature is the DER AlgorithmIdentifier and the signature of an Auth of method AuthSignature (RFC 7427 §3). A parsed one always
// has both.
func (a Auth) Signature() (algorithm, signature []byte, ok bool) {
	if a.Method != AuthSignature || len(a.Data) == 0 {
		return nil, nil, false
	}
	n := 1 + int(a.Data[0])
	if n == 1 || len(a.Data) <= n {
		return nil, nil, false
	}
	return a.Data[1:n:n], a.Data[n:], true
}

func parseAuth(s span) (Auth, *Error) {
	if err := s.need(5, "authentication data"); err != nil {
		return Auth{}, err
	}
	a := Auth{Method: AuthMethod(s.b[0]), Data: s.b[4:]}
	if _, _, ok := a.Signature(); a.Method == AuthSignature && !ok {
		return Auth{}, s.fail(4, "authentication data", "no algorithm, or no signature after it")
	}
	return a, nil
}

func (a Auth) body(b []byte) ([]byte, error) {
	return append(append(b, byte(a.Method), 0, 0, 0), a.Data...), nil
}
