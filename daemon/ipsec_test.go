package daemon

import (
	"slices"
	"testing"

	"github.com/cvlan/cvlan/internal/core/ike/crypt"
)

func TestAlgorithmsSayWhatIsNone(t *testing.T) {
	p, err := crypt.NewProfile(crypt.Modern)
	if err != nil {
		t.Fatal(err)
	}
	all := algorithms(p)
	for _, proposal := range slices.Concat(all.IKE, all.ESP) {
		if slices.Contains(proposal, "NONE") {
			t.Errorf("a proposal says NONE, and not of what: %v", proposal)
		}
	}
	for _, want := range []string{"KE_NONE", "ADDKE1_NONE", "ADDKE1_ML_KEM_768", "CURVE25519"} {
		if !slices.Contains(all.ESP[0], want) {
			t.Errorf("the first proposal of ESP has no %s: %v", want, all.ESP[0])
		}
	}
}
