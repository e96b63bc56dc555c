package admin

import (
	"net/http"
	"net/netip"
	"time"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/policy/acl"
)

// The policy of a network.
var (
	GetPolicy = Op[OneNetworkIn, PolicyOut]{Route{
		ID: "getPolicy", Method: http.MethodGet, Path: "/api/v1/tenants/{tenant}/networks/{network}/policy", Scope: PolicyRead, Tag: "Policy",
		Summary: "Show the policy in force"}}
	SetPolicy = Op[SetPolicyIn, SetPolicyOut]{Route{
		ID: "setPolicy", Method: http.MethodPut, Path: "/api/v1/tenants/{tenant}/networks/{network}/policy", Scope: PolicyWrite, Tag: "Policy",
		Summary: "Put a policy in force", Detail: "A document with errors is refused (policy-invalid), and one that does not pass its own tests (policy-test-failed): " +
			"the problem's review says all of it. The text that is in force already changes nothing. Nodes apply it within a moment.",
		MaxBody: maxPolicyBody}}
	CheckPolicy = Op[CheckPolicyIn, CheckPolicyOut]{Route{
		ID: "checkPolicy", Method: http.MethodPost, Path: "/api/v1/tenants/{tenant}/networks/{network}/policy/check", Scope: PolicyRead, Tag: "Policy",
		Summary: "Review a policy", Detail: "Says what setPolicy would say, and changes nothing.", MaxBody: maxPolicyBody}}
	ComparePolicy = Op[ComparePolicyIn, ComparePolicyOut]{Route{
		ID: "comparePolicy", Method: http.MethodPost, Path: "/api/v1/tenants/{tenant}/networks/{network}/policy/compare", Scope: PolicyRead, Tag: "Policy",
		Summary: "Say what a policy would open and close", Detail: "Against the policy in force, for the nodes that there are.", MaxBody: maxPolicyBody}}
	ExplainPolicy = Op[ExplainPolicyIn, ExplainPolicyOut]{Route{
		ID: "explainPolicy", Method: http.MethodPost, Path: "/api/v1/tenants/{tenant}/networks/{network}/policy/explain", Scope: PolicyRead, Tag: "Policy",
		Summary: "Explain who may reach whom", Detail: "By the filters that the nodes have. A user stands for each of their nodes, and a user without any, or a tag, for a node that might be.",
		MaxBody: maxPolicyBody}}
	GetPolicyStatus = Op[OneNetworkIn, PolicyStatusOut]{Route{
		ID: "getPolicyStatus", Method: http.MethodGet, Path: "/api/v1/tenants/{tenant}/networks/{network}/policy/status", Scope: PolicyRead, Tag: "Policy",
		Summary: "Say how far the policy has come", Detail: "Which nodes apply it, and how long that took."}}
	ListPolicies = Op[ListPoliciesIn, ListPoliciesOut]{Route{
		ID: "listPolicies", Method: http.MethodGet, Path: "/api/v1/tenants/{tenant}/networks/{network}/policy/versions", Scope: PolicyRead, Tag: "Policy",
		Summary: "List the versions of the policy", Detail: "Newest first, without their texts. Very old ones are forgotten."}}
	GetPolicyVersion = Op[PolicyVersionIn, PolicyOut]{Route{
		ID: "getPolicyVersion", Method: http.MethodGet, Path: "/api/v1/tenants/{tenant}/networks/{network}/policy/versions/{number}", Scope: PolicyRead, Tag: "Policy",
		Summary: "Show a version of the policy", Detail: "To roll back, put its text in force."}}
)

// maxPolicyBody is room for the longest document in JSON: there its line ends, tabs and quotes take two bytes.
const maxPolicyBody = 2*acl.MaxSize + 64<<10

// PolicyVersion describes one version of a network's policy.
type PolicyVersion struct {
	Network ident.Network `json:"network"`
	Number  uint64        `json:"number" doc:"From 1; the highest is in force"`
	ETag    string        `json:"etag"`
	Author  string        `json:"author"`
	Comment string        `json:"comment,omitempty"`
	At      time.Time     `json:"at"`
}

// Policy is one version with its text.
type Policy struct {
	PolicyVersion
	NetworkName string `json:"network_name"`
	Text        string `json:"text" doc:"HuJSON: JSON with comments"`
}

// NewPolicy is what SetPolicy puts in force.
type NewPolicy struct {
	Text    string `json:"text" doc:"HuJSON: JSON with comments" minLength:"1"`
	Comment string `json:"comment,omitempty" doc:"Why, for the history" maxLength:"500"`
}

// PolicyText is a document to be looked at.
type PolicyText struct {
	Text string    `json:"text" doc:"HuJSON: JSON with comments" minLength:"1"`
	At   time.Time `json:"at,omitzero" doc:"Instant that windows, and tests that name none, are looked at; absent: now"`
}

// PolicySet is what SetPolicy did.
type PolicySet struct {
	Policy  PolicyVersion `json:"policy"`
	Changed bool          `json:"changed" doc:"False: this text was in force already"`
	Review  PolicyReview  `json:"review"`
}

// PolicyCrowd are nodes to which two documents are the same.
type PolicyCrowd struct {
	Nodes  int          `json:"nodes" doc:"How many; 0: none, but addresses behind a router"`
	Sample string       `json:"sample,omitempty" doc:"Name of one of them"`
	Behind netip.Prefix `json:"behind,omitzero" doc:"The addresses"`
}

// PolicyDifference is what another document opens or closes.
type PolicyDifference struct {
	Src      PolicyCrowd `json:"src"`
	Dst      PolicyCrowd `json:"dst"`
	SameUser bool        `json:"same_user,omitempty" doc:"Only between nodes of one user"`
	Opened   []string    `json:"opened" nullable:"false" example:"[\"tcp:443\"]"`
	Closed   []string    `json:"closed" nullable:"false"`
}

// PolicyComparison is what a document would change.
type PolicyComparison struct {
	Review      PolicyReview       `json:"review"`
	Differences []PolicyDifference `json:"differences" nullable:"false"`
	More        int                `json:"more" doc:"Differences beyond those listed"`
}

// PolicyQuestion asks who may reach whom.
type PolicyQuestion struct {
	Src string    `json:"src" doc:"A node by name, an address, a user, a group or a tag" minLength:"1" maxLength:"300" example:"alice@example.com"`
	Dst string    `json:"dst" doc:"Likewise, with port and protocol" minLength:"1" maxLength:"300" example:"web-1:443/tcp"`
	At  time.Time `json:"at,omitzero" doc:"Absent: now"`
	// Text is a document that is not in force.
	Text string `json:"text,omitempty" doc:"Ask this document, in place of the one in force"`
}

// PolicyAnswers are the answers to a question, one for each pair of nodes that it is about.
type PolicyAnswers struct {
	Number  uint64        `json:"number" doc:"Of the policy that was asked; 0: the text of the question"`
	Answers []Explanation `json:"answers" nullable:"false"`
	More    int           `json:"more" doc:"Pairs beyond those that were asked about"`
}

// PolicyStatus is how far the policy in force has come.
type PolicyStatus struct {
	PolicyVersion
	Rules    int     `json:"rules"`
	Nodes    int     `json:"nodes" doc:"Connected now"`
	Current  int     `json:"current" doc:"Of those, how many apply the rules that they should"`
	Affected int     `json:"affected" doc:"Nodes that had to be told of this version, since the controller's start"`
	P50      float64 `json:"p50_seconds" doc:"From the commit until a node applied it: the median"`
	P99      float64 `json:"p99_seconds"`
	Max      float64 `json:"max_seconds"`
}

// The inputs and outputs of the operations on policies.
type (
	PolicyOut struct {
		ETag string `header:"ETag"`
		Body Policy
	}
	SetPolicyIn struct {
		OneNetworkIn
		IfMatch
		Body NewPolicy
	}
	SetPolicyOut struct {
		ETag string `header:"ETag"`
		Body PolicySet
	}
	CheckPolicyIn struct {
		OneNetworkIn
		Body PolicyText
	}
	CheckPolicyOut  struct{ Body PolicyReview }
	ComparePolicyIn struct {
		OneNetworkIn
		Body PolicyText
	}
	ComparePolicyOut struct{ Body PolicyComparison }
	ExplainPolicyIn  struct {
		OneNetworkIn
		Body PolicyQuestion
	}
	ExplainPolicyOut struct{ Body PolicyAnswers }
	PolicyStatusOut  struct{ Body PolicyStatus }
	ListPoliciesIn   struct {
		OneNetworkIn
		Page
	}
	ListPoliciesOut struct{ Body List[PolicyVersion] }
	PolicyVersionIn struct {
		OneNetworkIn
		Number int64 `path:"number" doc:"Number of the version" minimum:"1"`
	}
)
