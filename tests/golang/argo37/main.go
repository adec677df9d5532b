// Judges manifests as `argo lint` of Argo 3.7 does, by its own validator: a JSON object a line in,
// with the text of a file that may hold several, and one a line out, with what is wrong. The program
// beside this one does the same for 4.0, whose packages have other signatures.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
	"github.com/argoproj/argo-workflows/v3/workflow/common"
	"github.com/argoproj/argo-workflows/v3/workflow/templateresolution"
	"github.com/argoproj/argo-workflows/v3/workflow/validate"
	"github.com/sirupsen/logrus"
)

type question struct {
	Text string `json:"text"`
}

type answer struct {
	Wrong []string `json:"wrong"`
}

// The templates of one file, which refer to each other.
type templates map[string]*v1alpha1.WorkflowTemplate

func (known templates) Get(name string) (*v1alpha1.WorkflowTemplate, error) {
	if found, ok := known[name]; ok {
		return found, nil
	}
	return nil, fmt.Errorf("there is no WorkflowTemplate %q", name)
}

func main() {
	logrus.SetOutput(io.Discard)
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<26)
	out := json.NewEncoder(os.Stdout)
	for lines.Scan() {
		var asked question
		if err := json.Unmarshal(lines.Bytes(), &asked); err != nil {
			panic(err)
		}
		if err := out.Encode(answer{Wrong: judge([]byte(asked.Text))}); err != nil {
			panic(err)
		}
	}
}

func judge(text []byte) []string {
	wrong := []string{}
	note := func(what string, err error) {
		if err != nil {
			wrong = append(wrong, fmt.Sprintf("%s: %v", what, err))
		}
	}
	objects := common.ParseObjects(text, true)
	known := templates{}
	for _, parsed := range objects {
		note("reading", parsed.Err)
		if template, ok := parsed.Object.(*v1alpha1.WorkflowTemplate); ok && parsed.Err == nil {
			known[template.Name] = template
		}
	}
	nowhere := &templateresolution.NullClusterWorkflowTemplateGetter{}
	options := validate.ValidateOpts{Lint: true}
	judged := 0
	for _, parsed := range objects {
		if parsed.Err != nil {
			continue
		}
		judged++
		switch object := parsed.Object.(type) {
		case *v1alpha1.WorkflowTemplate:
			note(object.Name, validate.ValidateWorkflowTemplate(known, nowhere, object, nil, options))
		case *v1alpha1.CronWorkflow:
			note(object.Name, validate.ValidateCronWorkflow(context.Background(), known, nowhere, object, nil))
		case *v1alpha1.Workflow:
			note(object.Name, validate.ValidateWorkflow(known, nowhere, object, nil, options))
		default:
			note("reading", fmt.Errorf("%T is nothing that can be judged", object))
		}
	}
	if judged == 0 && len(wrong) == 0 {
		note("reading", fmt.Errorf("there is no manifest"))
	}
	return wrong
}
