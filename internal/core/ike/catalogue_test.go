package ike

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The catalogue of what may go wrong, and the stories that show what happens then: what libreswan can be told to do wrong on purpose (its
// "impair" list of version 5.5, IKEv2's part of it), the classes of the vulnerabilities that IKE daemons have had, and what we have thought of ourselves. A
// story of another package has its folder before it. What begins with a dash cannot happen here, and says why.
var catalogue = map[string]string{
	// libreswan's impairments.
	"add-v2-notification":          "TestNotificationsOutOfPlace",
	"add-unknown-v2-payload-to":    "TestFirstMessagesThatMakeNoSense",
	"add-unknown-v2-payload-to-sk": "TestProofsThatMakeNoSense TestACriticalStranger",
	"allow-dns-insecure":           "- no key comes from the DNS",
	"allow-null-none":              "TestFirstMessagesThatMakeNoSense TestAnswersThatMakeNoSense",
	"bad-ikev2-auth-xchg":          "TestAnswersOfAnotherExchange",
	"child-key-length-attribute":   "TestRequestsThatMakeNoSense crypt.TestUnfitTransformsAndKeysAreRefused",
	"cannot-ondemand, lifetime":    "- what is wrong in a configuration is refused when it is read",
	"childless-ikev2-supported":    "TestAnIKESAWithoutChildSAs",
	"corrupt-encrypted":            "TestMessagesThatAreNotAuthentic",
	"delete-on-retransmit":         "TestAPeerThatIsGoneIsNoticed",
	"drop-incoming, drop-outgoing": "TestCollisions TestSimulation",
	"emitting":                     "msg.TestWhatParseWouldRefuseIsNotWritten",
	"event-check-crls":             "pki.TestWhatMakesACertificateWorthless",
	"event-sa-replace":             "TestReauthentication",
	"event-v2-liveness":            "TestAPeerThatIsGoneIsNoticed TestPacketsAreSignsOfLife",
	"event-v2-reauth":              "TestReauthentication TestProofsAreRenewedBeforeTheyEnd",
	"event-v2-rekey":               "TestAnIKESAIsReplacedAndItsChildSAsStay TestAChildSAIsReplaced",
	"force-fips":                   "TestTwoSidesMeetInStrictFIPSMode",
	"force-v2-auth-method":         "TestProofsThatMakeNoSense",
	"ignore-hash-notify":           "crypt.TestAProofConvincesOnlyWhoHasTheKeyAndTheTranscript",
	"helper-thread-delay":          "- nothing is handed to threads",
	"ignore-soft-expire":           "../esp.TestPairAgesAndEnds ../esp.TestWhatOthersCarryWearsAPair",
	"ignore-hard-expire":           "../esp.TestPairAgesAndEnds ../esp.TestWhatOthersCarryWearsAPair",
	"ignore-v2-ike-auth-child":     "TestProofsThatMakeNoSense",
	"ignore-v2-notification":       "TestFirstMessagesThatMakeNoSense TestAnIKESAWithoutChildSAs",
	"ike-initiator-spi":            "TestFirstMessagesThatMakeNoSense TestMessagesThatAreNotAuthentic",
	"ike-key-length-attribute":     "TestFirstMessagesThatMakeNoSense msg.TestMalformedMessagesAreNamed",
	"ike-responder-spi":            "TestFirstMessagesThatMakeNoSense TestMessagesThatAreNotAuthentic",
	"ikev2-add-child-transform":    "TestRequestsThatMakeNoSense TestAnswersThatMakeNoSense",
	"ikev2-add-ike-transform":      "TestFirstMessagesThatMakeNoSense",
	"initiate-v2-liveness":         "TestAPeerThatIsGoneIsNoticed",
	"install-ipsec-sa-*":           "../../node/ipsec.TestWhatTheKernelRefusesIsCarriedHere",
	"jacob-two-two":                "TestSimulation",
	"ke-payload":                   "TestFirstMessagesThatMakeNoSense TestRequestsThatMakeNoSense TestAnswersToANewIKESAThatMakeNoSense",
	"major-version-bump":           "TestFirstMessagesThatMakeNoSense",
	"minor-version-bump":           "TestFirstMessagesThatMakeNoSense",
	"number-of-TSi-selectors":      "msg.TestMalformedMessagesAreNamed",
	"number-of-TSr-selectors":      "msg.TestMalformedMessagesAreNamed",
	"omit-hash-notify":             "TestFirstMessagesThatMakeNoSense",
	"omit-v2-ike-auth-child":       "TestProofsThatMakeNoSense",
	"omit-v2-notification":         "TestFirstMessagesThatMakeNoSense TestAnIKESAWithoutChildSAs",
	"proposal-parser":              "- algorithms come from profiles, not from words",
	"record-inbound, -outbound":    "TestReplays TestSimulation",
	"rekey-initiate-subnet":        "TestAReplacementIsNotWiderThanAllowed",
	"rekey-initiate-supernet":      "TestAReplacementIsNotWiderThanAllowed",
	"rekey-respond-subnet":         "TestTrafficIsNarrowedByBothSides",
	"rekey-respond-supernet":       "TestAnswersThatMakeNoSense",
	"replay-backward":              "TestReplays TestSimulation",
	"replay-duplicates":            "TestReplays TestSimulation",
	"replay-encrypted":             "TestReplays TestSimulation",
	"replay-forward":               "TestReplays TestSimulation",
	"revival":                      "TestAPeerThatRestartedIsMetAgainAtOnce",
	"sa-creation":                  "TestNoSPIIsLeft",
	"send-bogus-dcookie":           "TestFirstMessagesThatMakeNoSense TestCookiesAreOfOneSenderAndAge",
	"send-bogus-isakmp-flag":       "TestFirstMessagesThatMakeNoSense msg.TestReservedBitsAreNotLookedAt",
	"send-bogus-payload-flag":      "TestFirstMessagesThatMakeNoSense msg.TestReservedBitsAreNotLookedAt",
	"send-keepalive":               "../esp.TestKindOfDatagram",
	"send-key-size-check":          "../esp.TestBadKeysAreRefused",
	"send-no-delete":               "TestAPeerThatForgotReplacesItsSAs TestAPeerThatRestartedIsMetAgainAtOnce",
	"send-no-idr":                  "TestProofsThatMakeNoSense",
	"send-no-ikev2-auth":           "TestAFloodOfStrangers",
	"send-nonzero-reserved":        "msg.TestReservedBitsAreNotLookedAt",
	"send-nonzero-reserved-id":     "TestProofsThatMakeNoSense",
	"send-pkcs7-thingie":           "TestProofsThatMakeNoSense",
	"suppress-retransmits":         "TestAPeerThatIsGoneIsNoticed",
	"tcp-*":                        "- IKE is not spoken over TCP",
	"trigger, log-rate-limit":      "- timers of pluto's own",
	"timeout-on-retransmit":        "- there is no older protocol to fall back to",
	"unknown-v2-payload-critical":  "TestFirstMessagesThatMakeNoSense TestACriticalStranger",
	"v2-delete-protoid":            "TestRequestsThatMakeNoSense msg.TestMalformedMessagesAreNamed",
	"v2-proposal-protoid":          "TestFirstMessagesThatMakeNoSense TestRequestsThatMakeNoSense",
	"v2n-rekey-sa-protoid":         "TestRequestsThatMakeNoSense",
	"v2-proposal-dh":               "TestFirstMessagesThatMakeNoSense TestRequestsThatMakeNoSense",
	"v2-proposal-integ":            "TestFirstMessagesThatMakeNoSense",
	"v1-*, xauth, main mode":       "- IKEv1 is not spoken: bust-mi2, bust-mr2, drop-i2, ikev1-del-with-notify and others",

	// Vulnerabilities, by what was wrong.
	"public value that is too long or short (CVE-2023-41913)":            "TestRequestsThatMakeNoSense TestFirstMessagesThatMakeNoSense",
	"public value that is missing, empty or zero (2015-3240, 2016-5391)": "TestRequestsThatMakeNoSense TestFirstMessagesThatMakeNoSense crypt.TestPoisonousValuesAreRefused",
	"payloads that are missing (2013-6467)":                              "TestRequestsThatMakeNoSense TestFirstMessagesThatMakeNoSense TestProofsThatMakeNoSense",
	"transforms that are malformed (2016-3071)":                          "msg.TestMalformedMessagesAreNamed TestFirstMessagesThatMakeNoSense",
	"fragments that are malformed (2022-23094)":                          "msg.TestMalformedMessagesAreNamed TestFragmentsAreBounded TestFirstMessagesThatMakeNoSense",
	"selectors that are malformed (2023-23009)":                          "msg.TestMalformedMessagesAreNamed",
	"REKEY_SA that is malformed (2023-38710)":                            "TestRequestsThatMakeNoSense",
	"SPI 0, or one that is used (2025-39797, 2025-39965)":                "TestRequestsThatMakeNoSense TestAnswersThatMakeNoSense",
	"an early success of EAP (2021-45079)":                               "TestProofsThatMakeNoSense TestRequestsThatMakeNoSense",
	"constraints that are looked at too late (2015-4171)":                "TestAResponderThatIsSomebodyElseIsLeft TestADirectoryThatMixesPeersUp",
	"something fetched for a stranger (2022-40617)":                      "TestCertificatesByURLAreNotLookedAt TestCertificatesThatDoNotConvince",
	"signatures of RSA that are malleable (2018-16151, 2018-16152)":      "crypt.TestOldSignaturesOfRSAAreBelievedOnlyWhereAllowed crypt.TestAlgorithmIdentifiersAreDER",
	"keys of RSA that are odd or small (2017-9022)":                      "crypt.TestOldSignaturesOfRSAAreBelievedOnlyWhereAllowed",
	"names that a constraint forbids (2026-35331)":                       "pki.TestWhatMakesACertificateWorthless",
	"public values, ciphertexts and signatures of known attacks":         "crypt.TestWycheproof",
	"ASN.1 that loops (2017-9023), caches that overflow (2021-41991)":    "- certificates are read by the standard library, and none are kept",
	"EAP, TLS and RADIUS attributes (2023-26463, 2025-62291, 2026-*)":    "- EAP is not spoken yet: it comes with the vRouter, and its own entries here",

	// What else.
	"keys so large that to verify takes long":     "pki.TestWhatMakesACertificateWorthless",
	"a flood of half-open SAs":                    "TestAFloodOfStrangers TestAFloodIsFlat TestManyStrangersOfOneNetworkAreFew",
	"a flood of those who fail":                   "TestAFloodOfRefusedPeers TestAFloodIsFlat",
	"cookies without end":                         "TestAResponderThatWantsCookiesForEverIsLeft TestALateCookieIsNotAnother",
	"truncated, oversized and looping payloads":   "msg.TestMalformedMessagesAreNamed msg.TestNoPartOfAMessageIsAMessage msg.TestTooMuchOfEverythingIsRefused FuzzDatagram",
	"a wrong identity":                            "TestProofsThatMakeNoSense TestAResponderThatIsSomebodyElseIsLeft pki.TestCertificatesProveTheNamesInThem",
	"a wrong secret":                              "TestAWrongSecretIsRefused",
	"a certificate of another authority":          "TestCertificatesThatDoNotConvince pki.TestWhatMakesACertificateWorthless",
	"one that is expired, or not valid yet":       "TestCertificatesThatDoNotConvince pki.TestWhatMakesACertificateWorthless",
	"one that is revoked":                         "pki.TestWhatMakesACertificateWorthless",
	"one without a name":                          "pki.TestWhatMakesACertificateWorthless",
	"a proof that ends":                           "TestEvidenceEnds TestWhoDoesNotProveItselfAnewIsCutOff",
	"a key exchange that is left out":             "TestASkippedKeyExchange",
	"replays of packets":                          "../esp.TestWorkersAcceptEachNumberOnce ../esp.TestPacketsThatAreTooOldAreReplays ../esp.TestForgeriesDoNotMoveTheWindow",
	"sequence numbers that are exhausted":         "../esp.TestShortNumbersAreExhausted ../esp.TestWornPairIsDueAndThenRefuses",
	"clocks that jump":                            "TestClockJumps TestSimulation",
	"a peer that restarted, with old SAs of ours": "TestAPeerThatRestartedIsMetAgainAtOnce TestAPeerThatForgotReplacesItsSAs",
	"hints that are forged":                       "TestAForgedHintEndsNothing TestHintsToStrangersAreFew",
	"both replace at once, for ever":              "TestBothReplaceEverythingForEver TestCollisions",
	"one peer with sessions without end":          "TestOnePeerHasFewSessions",
	"bugs of our own, and of the owner's":         "TestABugEndsOneSession TestADirectoryThatPanics",
}

// Every story that the catalogue names is told somewhere.
func TestTheCatalogueNamesStories(t *testing.T) {
	told := map[string]map[string]bool{}
	for _, what := range slices.Sorted(maps.Keys(catalogue)) {
		stories := catalogue[what]
		if strings.HasPrefix(stories, "- ") {
			continue
		}
		for story := range strings.FieldsSeq(stories) {
			dir := "."
			if i := strings.LastIndex(story, "."); i >= 0 {
				dir, story = story[:i], story[i+1:]
			}
			if told[dir] == nil {
				told[dir] = tests(t, dir)
			}
			if !told[dir][story] {
				t.Errorf("%s: nobody tells %s in %s", what, story, dir)
			}
		}
	}
}

// tests are the names of the tests in a folder.
func tests(t *testing.T, dir string) map[string]bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`).FindAllSubmatch(text, -1) {
			names[string(m[1])] = true
		}
	}
	return names
}
