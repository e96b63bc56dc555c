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

// PartialChecksums is our own, of the numbers for private use: whoever sends it with a Child SA takes TCP and UDP inside it whose checksum is that of the pseudo
// header alone (docs/protocol/ikev2.md). The data is PartialChecksumsData, which tells it from what others may mean by the number.
const (
	PartialChecksums     NotifyType = 51984
	PartialChecksumsData            = "CVLAN"
)

// String is the name in the RFCs.
func (t NotifyType) String() string {
	if name := t.errorName(); name != "" {
		return name
	}
	if name := t.statusName(); name != "" {
		return name
	}
	if t == PartialChecksums {
		return "PARTIAL_CHECKSUMS"
	}
	return fmt.Sprintf("notification %d", uint16(t))
}

func (t NotifyType) errorName() string {
	names := [...]string{
		UnsupportedCriticalPayload: "UNSUPPORTED_CRITICAL_PAYLOAD", InvalidIKESPI: "INVALID_IKE_SPI",
		InvalidMajorVersion: "INVALID_MAJOR_VERSION", InvalidSyntax: "INVALID_SYNTAX",
		InvalidMessageID: "INVALID_MESSAGE_ID", InvalidSPI: "INVALID_SPI",
		NoProposalChosen: "NO_PROPOSAL_CHOSEN", InvalidKE: "INVALID_KE_PAYLOAD",
		AuthenticationFailed: "AUTHENTICATION_FAILED", SinglePairRequired: "SINGLE_PAIR_REQUIRED",
		NoAdditionalSAs: "NO_ADDITIONAL_SAS", InternalAddressFailure: "INTERNAL_ADDRESS_FAILURE",
		FailedCPRequired: "FAILED_CP_REQUIRED", TSUnacceptable: "TS_UNACCEPTABLE",
		InvalidSelectors: "INVALID_SELECTORS", UnacceptableAddresses: "UNACCEPTABLE_ADDRESSES",
		UnexpectedNATDetected: "UNEXPECTED_NAT_DETECTED", TemporaryFailure: "TEMPORARY_FAILURE",
		ChildSANotFound: "CHILD_SA_NOT_FOUND", AuthorizationFailed: "AUTHORIZATION_FAILED",
		StateNotFound: "STATE_NOT_FOUND", TSMaxQueue: "TS_MAX_QUEUE",
	}
	if int(t) < len(names) {
		return names[t]
	}
	return ""
}

func (t NotifyType) statusName() string {
	const first = InitialContact
	names := [...]string{
		InitialContact - first: "INITIAL_CONTACT", SetWindowSize - first: "SET_WINDOW_SIZE",
		AdditionalTSPossible - first: "ADDITIONAL_TS_POSSIBLE", IPCompSupported - first: "IPCOMP_SUPPORTED",
		NATDetectionSource - first: "NAT_DETECTION_SOURCE_IP", NATDetectionDestination - first: "NAT_DETECTION_DESTINATION_IP",
		Cookie - first: "COOKIE", UseTransportMode - first: "USE_TRANSPORT_MODE",
		HTTPCertLookupSupported - first: "HTTP_CERT_LOOKUP_SUPPORTED", RekeySA - first: "REKEY_SA",
		NoTFCPadding - first: "ESP_TFC_PADDING_NOT_SUPPORTED", NonFirstFragmentsAlso - first: "NON_FIRST_FRAGMENTS_ALSO",
		MOBIKESupported - first: "MOBIKE_SUPPORTED", AdditionalIP4Address - first: "ADDITIONAL_IP4_ADDRESS",
		AdditionalIP6Address - first: "ADDITIONAL_IP6_ADDRESS", NoAdditionalAddresses - first: "NO_ADDITIONAL_ADDRESSES",
		UpdateSAAddresses - first: "UPDATE_SA_ADDRESSES", Cookie2 - first: "COOKIE2",
		NoNATsAllowed - first: "NO_NATS_ALLOWED", AuthLifetime - first: "AUTH_LIFETIME",
		MultipleAuthSupported - first: "MULTIPLE_AUTH_SUPPORTED", AnotherAuthFollows - first: "ANOTHER_AUTH_FOLLOWS",
		RedirectSupported - first: "REDIRECT_SUPPORTED", Redirect - first: "REDIRECT",
		RedirectedFrom - first: "REDIRECTED_FROM", TicketLifetimeOpaque - first: "TICKET_LT_OPAQUE",
		TicketRequest - first: "TICKET_REQUEST", TicketAck - first: "TICKET_ACK",
		TicketNack - first: "TICKET_NACK", TicketOpaque - first: "TICKET_OPAQUE",
		EAPOnly - first: "EAP_ONLY_AUTHENTICATION", ChildlessSupported - first: "CHILDLESS_IKEV2_SUPPORTED",
		QuickCrashDetection - first: "QUICK_CRASH_DETECTION", MessageIDSyncSupported - first: "IKEV2_MESSAGE_ID_SYNC_SUPPORTED",
		ReplaySyncSupported - first: "IPSEC_REPLAY_COUNTER_SYNC_SUPPORTED", MessageIDSync - first: "IKEV2_MESSAGE_ID_SYNC",
		ReplaySync - first: "IPSEC_REPLAY_COUNTER_SYNC", FragmentationSupported - first: "IKEV2_FRAGMENTATION_SUPPORTED",
		SignatureHashes - first: "SIGNATURE_HASH_ALGORITHMS", Puzzle - first: "PUZZLE",
		UsePPK - first: "USE_PPK", PPKIdentity - first: "PPK_IDENTITY",
		NoPPKAuth - first: "NO_PPK_AUTH", IntermediateSupported - first: "INTERMEDIATE_EXCHANGE_SUPPORTED",
		IP4Allowed - first: "IP4_ALLOWED", IP6Allowed - first: "IP6_ALLOWED",
		AdditionalKE - first: "ADDITIONAL_KEY_EXCHANGE", UseAggFrag - first: "USE_AGGFRAG",
		SupportedAuthMethods - first: "SUPPORTED_AUTH_METHODS", SAResourceInfo - first: "SA_RESOURCE_INFO",
		UsePPKInt - first: "USE_PPK_INT", PPKIdentityKey - first: "PPK_IDENTITY_KEY",
	}
	if t >= first && int(t-first) < len(names) {
		return names[t-first]
	}
	return ""
}
