package msg

import "fmt"

// NotifyType is what a Notify tells, §3.10.1. Numbers below InitialContact are errors.
type NotifyType uint16

// Errors.
const (
	UnsupportedCriticalPayload NotifyType = 1
	InvalidIKESPI              NotifyType = 4
	InvalidMajorVersion        NotifyType = 5
	InvalidSyntax              NotifyType = 7
	InvalidMessageID           NotifyType = 9
	InvalidSPI                 NotifyType = 11
	NoProposalChosen           NotifyType = 14
	InvalidKE                  NotifyType = 17 // the data is the method that is wanted
	AuthenticationFailed       NotifyType = 24
	SinglePairRequired         NotifyType = 34
	NoAdditionalSAs            NotifyType = 35
	InternalAddressFailure     NotifyType = 36
	FailedCPRequired           NotifyType = 37
	TSUnacceptable             NotifyType = 38
	InvalidSelectors           NotifyType = 39
	UnacceptableAddresses      NotifyType = 40 // RFC 4555
	UnexpectedNATDetected      NotifyType = 41 // RFC 4555
	TemporaryFailure           NotifyType = 43
	ChildSANotFound            NotifyType = 44
	AuthorizationFailed        NotifyType = 46 // RFC 9838
	StateNotFound              NotifyType = 47 // RFC 9370
	TSMaxQueue                 NotifyType = 48 // RFC 9611
)

// States and abilities.
const (
	InitialContact          NotifyType = 16384
	SetWindowSize           NotifyType = 16385
	AdditionalTSPossible    NotifyType = 16386
	IPCompSupported         NotifyType = 16387
	NATDetectionSource      NotifyType = 16388
	NATDetectionDestination NotifyType = 16389
	Cookie                  NotifyType = 16390
	UseTransportMode        NotifyType = 16391
	HTTPCertLookupSupported NotifyType = 16392
	RekeySA                 NotifyType = 16393
	NoTFCPadding            NotifyType = 16394
	NonFirstFragmentsAlso   NotifyType = 16395
	MOBIKESupported         NotifyType = 16396 // RFC 4555, and down to NoNATsAllowed
	AdditionalIP4Address    NotifyType = 16397
	AdditionalIP6Address    NotifyType = 16398
	NoAdditionalAddresses   NotifyType = 16399
	UpdateSAAddresses       NotifyType = 16400
	Cookie2                 NotifyType = 16401
	NoNATsAllowed           NotifyType = 16402
	AuthLifetime            NotifyType = 16403 // RFC 4478
	MultipleAuthSupported   NotifyType = 16404 // RFC 4739
	AnotherAuthFollows      NotifyType = 16405
	RedirectSupported       NotifyType = 16406 // RFC 5685
	Redirect                NotifyType = 16407
	RedirectedFrom          NotifyType = 16408
	TicketLifetimeOpaque    NotifyType = 16409 // RFC 5723
	TicketRequest           NotifyType = 16410
	TicketAck               NotifyType = 16411
	TicketNack              NotifyType = 16412
	TicketOpaque            NotifyType = 16413
	EAPOnly                 NotifyType = 16417 // RFC 5998
	ChildlessSupported      NotifyType = 16418 // RFC 6023
	QuickCrashDetection     NotifyType = 16419 // RFC 6290
	MessageIDSyncSupported  NotifyType = 16420 // RFC 6311
	ReplaySyncSupported     NotifyType = 16421
	MessageIDSync           NotifyType = 16422
	ReplaySync              NotifyType = 16423
	FragmentationSupported  NotifyType = 16430 // RFC 7383
	SignatureHashes         NotifyType = 16431 // RFC 7427
	Puzzle                  NotifyType = 16434 // RFC 8019
	UsePPK                  NotifyType = 16435 // RFC 8784
	PPKIdentity             NotifyType = 16436
	NoPPKAuth               NotifyType = 16437
	IntermediateSupported   NotifyType = 16438 // RFC 9242
	IP4Allowed              NotifyType = 16439 // RFC 8983
	IP6Allowed              NotifyType = 16440
	AdditionalKE            NotifyType = 16441 // RFC 9370
	UseAggFrag              NotifyType = 16442 // RFC 9347
	SupportedAuthMethods    NotifyType = 16443 // RFC 9593
	SAResourceInfo          NotifyType = 16444 // RFC 9611
	UsePPKInt               NotifyType = 16445 // RFC 9867
	PPKIdentityKey          NotifyType = 16446 // RFC 9867
)

// String is the name in the RFCs.
func (t NotifyType) String() string {
	if name := t.errorName(); name != "" {
		return name
	}
	if name := t.statusName(); name != "" {
		return name
	}
	return fmt.Sprintf("notification %d", uint16(t))
}

func (t NotifyType) errorName() string {
	switch t {
	case UnsupportedCriticalPayload:
		return "UNSUPPORTED_CRITICAL_PAYLOAD"
	case InvalidIKESPI:
		return "INVALID_IKE_SPI"
	case InvalidMajorVersion:
		return "INVALID_MAJOR_VERSION"
	case InvalidSyntax:
		return "INVALID_SYNTAX"
	case InvalidMessageID:
		return "INVALID_MESSAGE_ID"
	case InvalidSPI:
		return "INVALID_SPI"
	case NoProposalChosen:
		return "NO_PROPOSAL_CHOSEN"
	case InvalidKE:
		return "INVALID_KE_PAYLOAD"
	case AuthenticationFailed:
		return "AUTHENTICATION_FAILED"
	case SinglePairRequired:
		return "SINGLE_PAIR_REQUIRED"
	case NoAdditionalSAs:
		return "NO_ADDITIONAL_SAS"
	case InternalAddressFailure:
		return "INTERNAL_ADDRESS_FAILURE"
	case FailedCPRequired:
		return "FAILED_CP_REQUIRED"
	case TSUnacceptable:
		return "TS_UNACCEPTABLE"
	case InvalidSelectors:
		return "INVALID_SELECTORS"
	case UnacceptableAddresses:
		return "UNACCEPTABLE_ADDRESSES"
	case UnexpectedNATDetected:
		return "UNEXPECTED_NAT_DETECTED"
	case TemporaryFailure:
		return "TEMPORARY_FAILURE"
	case ChildSANotFound:
		return "CHILD_SA_NOT_FOUND"
	case AuthorizationFailed:
		return "AUTHORIZATION_FAILED"
	case StateNotFound:
		return "STATE_NOT_FOUND"
	case TSMaxQueue:
		return "TS_MAX_QUEUE"
	}
	return ""
}

func (t NotifyType) statusName() string {
	switch t {
	case InitialContact:
		return "INITIAL_CONTACT"
	case SetWindowSize:
		return "SET_WINDOW_SIZE"
	case AdditionalTSPossible:
		return "ADDITIONAL_TS_POSSIBLE"
	case IPCompSupported:
		return "IPCOMP_SUPPORTED"
	case NATDetectionSource:
		return "NAT_DETECTION_SOURCE_IP"
	case NATDetectionDestination:
		return "NAT_DETECTION_DESTINATION_IP"
	case Cookie:
		return "COOKIE"
	case UseTransportMode:
		return "USE_TRANSPORT_MODE"
	case HTTPCertLookupSupported:
		return "HTTP_CERT_LOOKUP_SUPPORTED"
	case RekeySA:
		return "REKEY_SA"
	case NoTFCPadding:
		return "ESP_TFC_PADDING_NOT_SUPPORTED"
	case NonFirstFragmentsAlso:
		return "NON_FIRST_FRAGMENTS_ALSO"
	case MOBIKESupported:
		return "MOBIKE_SUPPORTED"
	case AdditionalIP4Address:
		return "ADDITIONAL_IP4_ADDRESS"
	case AdditionalIP6Address:
		return "ADDITIONAL_IP6_ADDRESS"
	case NoAdditionalAddresses:
		return "NO_ADDITIONAL_ADDRESSES"
	case UpdateSAAddresses:
		return "UPDATE_SA_ADDRESSES"
	case Cookie2:
		return "COOKIE2"
	case NoNATsAllowed:
		return "NO_NATS_ALLOWED"
	case AuthLifetime:
		return "AUTH_LIFETIME"
	case MultipleAuthSupported:
		return "MULTIPLE_AUTH_SUPPORTED"
	case AnotherAuthFollows:
		return "ANOTHER_AUTH_FOLLOWS"
	case RedirectSupported:
		return "REDIRECT_SUPPORTED"
	case Redirect:
		return "REDIRECT"
	case RedirectedFrom:
		return "REDIRECTED_FROM"
	case TicketLifetimeOpaque:
		return "TICKET_LT_OPAQUE"
	case TicketRequest:
		return "TICKET_REQUEST"
	case TicketAck:
		return "TICKET_ACK"
	case TicketNack:
		return "TICKET_NACK"
	case TicketOpaque:
		return "TICKET_OPAQUE"
	case EAPOnly:
		return "EAP_ONLY_AUTHENTICATION"
	case ChildlessSupported:
		return "CHILDLESS_IKEV2_SUPPORTED"
	case QuickCrashDetection:
		return "QUICK_CRASH_DETECTION"
	case MessageIDSyncSupported:
		return "IKEV2_MESSAGE_ID_SYNC_SUPPORTED"
	case ReplaySyncSupported:
		return "IPSEC_REPLAY_COUNTER_SYNC_SUPPORTED"
	case MessageIDSync:
		return "IKEV2_MESSAGE_ID_SYNC"
	case ReplaySync:
		return "IPSEC_REPLAY_COUNTER_SYNC"
	case FragmentationSupported:
		return "IKEV2_FRAGMENTATION_SUPPORTED"
	case SignatureHashes:
		return "SIGNATURE_HASH_ALGORITHMS"
	case Puzzle:
		return "PUZZLE"
	case UsePPK:
		return "USE_PPK"
	case PPKIdentity:
		return "PPK_IDENTITY"
	case NoPPKAuth:
		return "NO_PPK_AUTH"
	case IntermediateSupported:
		return "INTERMEDIATE_EXCHANGE_SUPPORTED"
	case IP4Allowed:
		return "IP4_ALLOWED"
	case IP6Allowed:
		return "IP6_ALLOWED"
	case AdditionalKE:
		return "ADDITIONAL_KEY_EXCHANGE"
	case UseAggFrag:
		return "USE_AGGFRAG"
	case SupportedAuthMethods:
		return "SUPPORTED_AUTH_METHODS"
	case SAResourceInfo:
		return "SA_RESOURCE_INFO"
	case UsePPKInt:
		return "USE_PPK_INT"
	case PPKIdentityKey:
		return "PPK_IDENTITY_KEY"
	}
	return ""
}
