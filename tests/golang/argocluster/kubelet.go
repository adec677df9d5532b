package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/argoproj/argo-workflows/v4/pkg/apis/workflow/v1alpha1"
	argo "github.com/argoproj/argo-workflows/v4/pkg/client/clientset/versioned"
	"github.com/argoproj/argo-workflows/v4/workflow/common"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// Where manifests have their files; each pod has a folder of its own in place of these.
var mounts = []string{"/mlc-in/", "/mlc/"}

// kubelet runs the main containers of pods as processes of this machine, and does for each what
// Argo's executor does in the containers beside it (workflow/executor/executor.go of 4.0.5).
type kubelet struct {
	kube kubernetes.Interface
	argo argo.Interface
	// Processes at a time.
	slots chan struct{}
}

// place is where the pods of one workflow run: `home` is their working folder, `scratch` holds
// their mounts, and artifacts by their keys in `store`.
type place struct {
	home, scratch string
	logs          func(pod, text string)
}

func (p place) stored(key string) string {
	return filepath.Join(p.scratch, "store", filepath.FromSlash(key))
}

// ended is what became of a container.
type ended struct {
	code    int32
	reason  string
	message string
}

func (e ended) status(name string, start time.Time) corev1.ContainerStatus {
	return corev1.ContainerStatus{Name: name, State: corev1.ContainerState{
		Terminated: &corev1.ContainerStateTerminated{
			ExitCode: e.code, Reason: e.reason, Message: e.message,
			StartedAt: metav1.NewTime(start), FinishedAt: metav1.Now(),
		},
	}}
}

var fine = ended{0, "Completed", ""}

func failed(code int, message string) ended { return ended{int32(code), "Error", message} }

func (k *kubelet) run(ctx context.Context, pod *corev1.Pod, where place) error {
	k.slots <- struct{}{}
	defer func() { <-k.slots }()
	first, err := container(pod, common.InitContainerName)
	if err != nil {
		return err
	}
	text := variables(pod, first)[common.EnvVarTemplate]
	var template v1alpha1.Template
	if err := json.Unmarshal([]byte(text), &template); err != nil {
		return fmt.Errorf("the template of pod %s: %w", pod.Name, err)
	}
	start := time.Now()
	status := corev1.PodStatus{Phase: corev1.PodRunning, StartTime: &metav1.Time{Time: start}}
	if err := k.tell(ctx, pod, status); err != nil {
		return err
	}
	if err := k.report(ctx, pod, nil); err != nil {
		return err
	}
	root := filepath.Join(where.scratch, pod.Name)
	if err := os.MkdirAll(filepath.Join(root, "mlc"), 0o777); err != nil {
		return err
	}
	if err := load(template.Inputs.Artifacts, root, where); err != nil {
		status.InitContainerStatuses = []corev1.ContainerStatus{
			failed(64, err.Error()).status(common.InitContainerName, start),
		}
		status.Phase = corev1.PodFailed
		return errors.Join(k.report(ctx, pod, &v1alpha1.Outputs{}), k.tell(ctx, pod, status))
	}
	main, late, err := k.process(ctx, pod, root, where)
	if err != nil {
		return err
	}
	outputs, lost := gather(template, root, where)
	if err := k.report(ctx, pod, outputs); err != nil {
		return err
	}
	beside := fine
	if lost != nil {
		beside = failed(64, lost.Error())
	}
	status.ContainerStatuses = []corev1.ContainerStatus{
		beside.status(common.WaitContainerName, start), main.status(common.MainContainerName, start),
	}
	status.Phase = corev1.PodSucceeded
	if main.code != 0 || beside.code != 0 {
		status.Phase = corev1.PodFailed
	}
	if late {
		status.Phase, status.Reason = corev1.PodFailed, "DeadlineExceeded"
		status.Message = "Pod was active on the node longer than the specified deadline"
	}
	return k.tell(ctx, pod, status)
}

func (k *kubelet) tell(ctx context.Context, pod *corev1.Pod, status corev1.PodStatus) error {
	told := pod.DeepCopy()
	told.Status, told.ResourceVersion = status, ""
	_, err := k.kube.CoreV1().Pods(pod.Namespace).UpdateStatus(ctx, told, metav1.UpdateOptions{})
	return err
}

// report says what a pod has put out; nil, that it will.
func (k *kubelet) report(ctx context.Context, pod *corev1.Pod, outputs *v1alpha1.Outputs) error {
	results := k.argo.ArgoprojV1alpha1().WorkflowTaskResults(pod.Namespace)
	result := &v1alpha1.WorkflowTaskResult{ObjectMeta: metav1.ObjectMeta{
		Name: pod.Annotations[common.AnnotationKeyNodeID],
		Labels: map[string]string{
			common.LabelKeyWorkflow:               pod.Labels[common.LabelKeyWorkflow],
			common.LabelKeyReportOutputsCompleted: fmt.Sprint(outputs != nil),
		},
	}}
	if outputs == nil {
		_, err := results.Create(ctx, result, metav1.CreateOptions{})
		return err
	}
	result.Outputs = outputs
	_, err := results.Update(ctx, result, metav1.UpdateOptions{})
	return err
}

// process runs the main container; it says whether the pod's deadline ended it.
func (k *kubelet) process(ctx context.Context, pod *corev1.Pod, root string, where place) (ended, bool, error) {
	main, err := container(pod, common.MainContainerName)
	if err != nil {
		return fine, false, err
	}
	here := func(text string) string {
		for _, mount := range mounts {
			text = strings.ReplaceAll(text, mount, root+mount)
		}
		return text
	}
	known := variables(pod, main)
	words := []string{}
	for _, word := range slices.Concat(main.Command, main.Args) {
		words = append(words, here(expand(word, known)))
	}
	// Before that are Argo's own words: argoexec emissary … --
	words = words[slices.Index(words, "--")+1:]
	if pod.Spec.ActiveDeadlineSeconds != nil {
		var done context.CancelFunc
		ctx, done = context.WithTimeout(ctx, time.Duration(*pod.Spec.ActiveDeadlineSeconds)*time.Second)
		defer done()
	}
	command := exec.CommandContext(ctx, words[0], words[1:]...)
	command.Dir = where.home
	command.Env = []string{"PATH=" + os.Getenv("PATH")}
	for name, value := range known {
		if !strings.HasPrefix(name, "ARGO_") {
			command.Env = append(command.Env, name+"="+here(value))
		}
	}
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	command.Cancel = func() error { return syscall.Kill(-command.Process.Pid, syscall.SIGKILL) }
	var log bytes.Buffer
	command.Stdout, command.Stderr = &log, &log
	err = command.Run()
	where.logs(pod.Name, log.String())
	if command.ProcessState == nil {
		return failed(64, err.Error()), false, nil
	}
	if ctx.Err() != nil {
		return failed(137, ""), true, nil
	}
	if code := command.ProcessState.ExitCode(); code != 0 {
		return failed(code, ""), false, nil
	}
	return fine, false, nil
}

// load puts the artifacts of a pod in their places.
func load(artifacts v1alpha1.Artifacts, root string, where place) error {
	for _, artifact := range artifacts {
		target := filepath.Join(root, artifact.Path)
		if artifact.Raw != nil {
			if err := os.MkdirAll(filepath.Dir(target), 0o777); err != nil {
				return err
			}
			if err := os.WriteFile(target, []byte(artifact.Raw.Data), 0o666); err != nil {
				return err
			}
			continue
		}
		if artifact.Optional && !artifact.HasLocationOrKey() {
			continue
		}
		key, err := artifact.GetKey()
		if err != nil {
			return fmt.Errorf("artifact %s: %w", artifact.Name, err)
		}
		if _, err := os.Stat(where.stored(key)); artifact.Optional && err != nil {
			continue
		}
		if err := copied(where.stored(key), target); err != nil {
			return fmt.Errorf("artifact %s: %w", artifact.Name, err)
		}
	}
	return nil
}

// gather takes what a pod has written. The first value that is lost ends the values, as there; a
// lost artifact does not end the artifacts.
func gather(template v1alpha1.Template, root string, where place) (*v1alpha1.Outputs, error) {
	outputs := template.Outputs.DeepCopy()
	var lost []error
	for place, parameter := range outputs.Parameters {
		if parameter.ValueFrom == nil || parameter.ValueFrom.Path == "" {
			continue
		}
		text, err := os.ReadFile(filepath.Join(root, parameter.ValueFrom.Path))
		if err != nil && parameter.ValueFrom.Default == nil {
			lost = append(lost, err)
			break
		}
		value := strings.TrimSuffix(string(text), "\n")
		if err != nil {
			value = parameter.ValueFrom.Default.String()
		}
		outputs.Parameters[place].Value = v1alpha1.AnyStringPtr(value)
	}
	artifacts := outputs.Artifacts
	outputs.Artifacts = v1alpha1.Artifacts{}
	for _, artifact := range artifacts {
		source := filepath.Join(root, artifact.Path)
		if _, err := os.Stat(source); err != nil {
			if !artifact.Optional {
				lost = append(lost, err)
			}
			continue
		}
		if err := save(&artifact, template, source, where); err != nil {
			lost = append(lost, fmt.Errorf("artifact %s: %w", artifact.Name, err))
			continue
		}
		outputs.Artifacts = append(outputs.Artifacts, artifact)
	}
	return outputs, errors.Join(lost...)
}

func save(artifact *v1alpha1.Artifact, template v1alpha1.Template, source string, where place) error {
	if !artifact.HasKey() {
		folder, err := template.ArchiveLocation.GetKey()
		if err != nil {
			return err
		}
		location, err := template.ArchiveLocation.Get()
		if err != nil {
			return err
		}
		name := artifact.Name + ".tgz"
		if artifact.Archive != nil && artifact.Archive.None != nil {
			name = filepath.Base(artifact.Path)
		}
		if err := errors.Join(artifact.SetType(location), artifact.SetKey(folder+"/"+name)); err != nil {
			return err
		}
	}
	key, err := artifact.GetKey()
	if err != nil {
		return err
	}
	return copied(source, where.stored(key))
}

func copied(source, target string) error {
	found, err := os.Stat(source)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(target), 0o777); err != nil {
		return err
	}
	if found.IsDir() {
		return os.CopyFS(target, os.DirFS(source))
	}
	text, err := os.ReadFile(source)
	if err != nil {
		return err
	}
	return os.WriteFile(target, text, 0o666)
}

func container(pod *corev1.Pod, name string) (corev1.Container, error) {
	for _, one := range slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers) {
		if one.Name == name {
			return one, nil
		}
	}
	return corev1.Container{}, fmt.Errorf("pod %s has no container %s", pod.Name, name)
}

// variables are what a container sees, each expanded with those before it.
func variables(pod *corev1.Pod, one corev1.Container) map[string]string {
	known := map[string]string{}
	for _, variable := range one.Env {
		value := expand(variable.Value, known)
		if from := variable.ValueFrom; from != nil && from.FieldRef != nil {
			switch from.FieldRef.FieldPath {
			case "metadata.name":
				value = pod.Name
			case "metadata.uid":
				value = string(pod.UID)
			case "metadata.namespace":
				value = pod.Namespace
			}
		}
		known[variable.Name] = value
	}
	return known
}

// expand is Kubernetes' own: $(NAME) is a variable's value, or itself where there is none of that
// name; $$ is one dollar.
func expand(text string, known map[string]string) string {
	var out strings.Builder
	for at := 0; at < len(text); at++ {
		rest := text[at:]
		end := strings.IndexByte(rest, ')')
		switch {
		case strings.HasPrefix(rest, "$$"):
			out.WriteByte('$')
			at++
		case strings.HasPrefix(rest, "$(") && end > 0:
			value, ok := known[rest[2:end]]
			if !ok {
				value = rest[:end+1]
			}
			out.WriteString(value)
			at += end
		default:
			out.WriteByte(text[at])
		}
	}
	return out.String()
}
