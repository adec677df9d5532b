// Runs manifests on Argo's own controller: a JSON object a line in, with a file's text and the
// parameters of a run, and one a line out, with the workflow as it ended and what its pods printed.
//
// The controller is upstream's, started as its command starts it. It speaks to an API server that
// keeps objects in memory; the pods that it makes run as processes of this machine.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/argoproj/argo-workflows/v4/pkg/apis/workflow/v1alpha1"
	argo "github.com/argoproj/argo-workflows/v4/pkg/client/clientset/versioned"
	"github.com/argoproj/argo-workflows/v4/util/logging"
	"github.com/argoproj/argo-workflows/v4/workflow/common"
	"github.com/argoproj/argo-workflows/v4/workflow/controller"
	"github.com/argoproj/argo-workflows/v4/workflow/util"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

const system = "argo"

// What the artifacts of a cluster need to have a place; nothing is sent there.
const settings = `
artifactRepository:
  s3: {bucket: artifacts, endpoint: "store.invalid"}
metricsConfig: {enabled: false}
telemetryConfig: {enabled: false}
nodeEvents: {enabled: false}
workflowEvents: {enabled: false}
`

type question struct {
	ID         int      `json:"id"`
	Text       string   `json:"text"`
	Parameters []string `json:"parameters"`
	Home       string   `json:"home"`
	Scratch    string   `json:"scratch"`
	Patience   float64  `json:"patience"`
}

type answer struct {
	ID       int                `json:"id"`
	Problem  string             `json:"problem"`
	Workflow *v1alpha1.Workflow `json:"workflow"`
	Logs     map[string]string  `json:"logs"`
}

type cluster struct {
	kube kubernetes.Interface
	argo argo.Interface
	// By namespace; each question has its own.
	places sync.Map
}

func main() {
	level := logging.Error
	if os.Getenv("VERBOSE") != "" {
		level = logging.Info
	}
	ctx := logging.WithLogger(context.Background(), logging.NewSlogLogger(level, logging.Text))
	served := httptest.NewServer(newAPIServer())
	config := &rest.Config{Host: served.URL, QPS: 10000, Burst: 10000}
	config.ContentType = "application/json"
	here := &cluster{kube: kubernetes.NewForConfigOrDie(config), argo: argo.NewForConfigOrDie(config)}
	asked := corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: "settings"}, Data: map[string]string{"config": settings},
	}
	if _, err := here.kube.CoreV1().ConfigMaps(system).Create(ctx, &asked, metav1.CreateOptions{}); err != nil {
		panic(err)
	}
	started, err := controller.NewWorkflowController(
		ctx, config, here.kube, here.argo, system, "", "argoexec", "", "text", "settings", false,
	)
	if err != nil {
		panic(err)
	}
	go started.Run(ctx, 8, 1, 4, 1, 1)
	go here.runPods(ctx)

	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<26)
	out := json.NewEncoder(os.Stdout)
	var writing sync.Mutex
	var all sync.WaitGroup
	for lines.Scan() {
		var asked question
		if err := json.Unmarshal(lines.Bytes(), &asked); err != nil {
			panic(err)
		}
		all.Add(1)
		go func() {
			defer all.Done()
			found := here.answer(ctx, asked)
			writing.Lock()
			defer writing.Unlock()
			if err := out.Encode(found); err != nil {
				panic(err)
			}
		}()
	}
	all.Wait()
}

func (c *cluster) runPods(ctx context.Context) {
	pods, err := c.kube.CoreV1().Pods("").Watch(ctx, metav1.ListOptions{})
	if err != nil {
		panic(err)
	}
	node := &kubelet{c.kube, c.argo, make(chan struct{}, 16)}
	running := map[string]context.CancelFunc{}
	for event := range pods.ResultChan() {
		pod := event.Object.(*corev1.Pod)
		key := pod.Namespace + "/" + pod.Name
		stop, known := running[key]
		switch {
		case !known:
			where, ok := c.places.Load(pod.Namespace)
			if !ok {
				panic("a pod of no run: " + key)
			}
			inside, stop := context.WithCancel(ctx)
			running[key] = stop
			go func() {
				if err := node.run(inside, pod, where.(place)); err != nil && inside.Err() == nil {
					fmt.Fprintf(os.Stderr, "pod %s: %v\n", key, err)
				}
			}()
		case pod.DeletionTimestamp != nil || event.Type == "DELETED":
			stop()
		}
	}
}

func (c *cluster) answer(ctx context.Context, asked question) answer {
	found := answer{ID: asked.ID, Logs: map[string]string{}}
	ctx, done := context.WithTimeout(ctx, time.Duration(asked.Patience*float64(time.Second)))
	defer done()
	var logging sync.Mutex
	namespace := fmt.Sprintf("run-%d", asked.ID)
	c.places.Store(namespace, place{asked.Home, asked.Scratch, func(pod, text string) {
		logging.Lock()
		defer logging.Unlock()
		found.Logs[pod] = text
	}})
	name, err := c.create(ctx, namespace, asked.Text)
	for tries := 0; err == nil; tries++ {
		var workflow *v1alpha1.Workflow
		if workflow, err = c.start(ctx, namespace, name, asked.Parameters); err != nil {
			break
		}
		if found.Workflow, err = c.ended(ctx, workflow); tries == 20 || !isTooEarly(found.Workflow) {
			break
		}
		time.Sleep(500 * time.Millisecond)
	}
	if err != nil {
		found.Problem = err.Error()
	}
	logging.Lock()
	defer logging.Unlock()
	logs := map[string]string{}
	for pod, text := range found.Logs {
		logs[pod] = text
	}
	found.Logs = logs
	return found
}

// create puts the templates of a file there; it gives the name of the last.
func (c *cluster) create(ctx context.Context, namespace, text string) (string, error) {
	name := ""
	for _, parsed := range common.ParseObjects(ctx, []byte(text), true) {
		if parsed.Err != nil {
			return name, parsed.Err
		}
		template, ok := parsed.Object.(*v1alpha1.WorkflowTemplate)
		if !ok {
			continue
		}
		name = template.Name
		templates := c.argo.ArgoprojV1alpha1().WorkflowTemplates(namespace)
		if _, err := templates.Create(ctx, template, metav1.CreateOptions{}); err != nil {
			return name, err
		}
	}
	return name, nil
}

// start makes a workflow of a template, as Argo's own command does.
func (c *cluster) start(ctx context.Context, namespace, name string, parameters []string) (*v1alpha1.Workflow, error) {
	workflow := common.NewWorkflowFromWorkflowTemplate(name, false)
	if err := util.ApplySubmitOpts(workflow, &v1alpha1.SubmitOpts{Parameters: parameters}); err != nil {
		return nil, err
	}
	return c.argo.ArgoprojV1alpha1().Workflows(namespace).Create(ctx, workflow, metav1.CreateOptions{})
}

// isTooEarly says whether a template was not yet in the controller's own copy of them.
func isTooEarly(workflow *v1alpha1.Workflow) bool {
	status := workflow.Status
	return status.Fulfilled() && len(status.Nodes) == 0 && strings.HasSuffix(status.Message, "not found")
}

func (c *cluster) ended(ctx context.Context, workflow *v1alpha1.Workflow) (*v1alpha1.Workflow, error) {
	workflows := c.argo.ArgoprojV1alpha1().Workflows(workflow.Namespace)
	name := workflow.Name
	for {
		found, err := workflows.Get(ctx, name, metav1.GetOptions{})
		if err != nil && ctx.Err() == nil {
			return workflow, err
		}
		if err == nil {
			workflow = found
			if workflow.Status.Fulfilled() {
				return workflow, nil
			}
		}
		select {
		case <-ctx.Done():
			return workflow, fmt.Errorf("it has not ended in time; it is %s", workflow.Status.Phase)
		case <-time.After(100 * time.Millisecond):
		}
	}
}
