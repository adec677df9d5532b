package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"k8s.io/apimachinery/pkg/util/uuid"
)

// What the controller asks for; a resource that is not here is a 404.
var kinds = map[string]string{
	"clusterworkflowtemplates": "ClusterWorkflowTemplate",
	"configmaps":               "ConfigMap",
	"cronworkflows":            "CronWorkflow",
	"events":                   "Event",
	"namespaces":               "Namespace",
	"persistentvolumeclaims":   "PersistentVolumeClaim",
	"pods":                     "Pod",
	"secrets":                  "Secret",
	"selfsubjectaccessreviews": "SelfSubjectAccessReview",
	"serviceaccounts":          "ServiceAccount",
	"workflowartifactgctasks":  "WorkflowArtifactGCTask",
	"workflows":                "Workflow",
	"workflowtaskresults":      "WorkflowTaskResult",
	"workflowtasksets":         "WorkflowTaskSet",
	"workflowtemplates":        "WorkflowTemplate",
}

// A change of one object: nil before it was there and after it is gone.
type change struct {
	version       int
	before, after *unstructured.Unstructured
}

// apiServer keeps objects as Kubernetes' API server does: versions, watches, selectors, patches and
// finalizers. It has no admission and no schemas.
type apiServer struct {
	mutex   sync.Mutex
	version int
	objects map[string]map[string]*unstructured.Unstructured
	history map[string][]change
	changed chan struct{}
}

func newAPIServer() *apiServer {
	return &apiServer{
		objects: map[string]map[string]*unstructured.Unstructured{},
		history: map[string][]change{},
		changed: make(chan struct{}),
	}
}

// An address as requests have it: /apis/GROUP/VERSION[/namespaces/NS]/RESOURCE[/NAME[/SUB]].
type address struct {
	group, version, namespace, resource, name, sub string
}

func addressOf(path string) (address, bool) {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	found := address{}
	switch {
	case len(parts) > 2 && parts[0] == "api":
		found.version, parts = parts[1], parts[2:]
	case len(parts) > 3 && parts[0] == "apis":
		found.group, found.version, parts = parts[1], parts[2], parts[3:]
	default:
		return found, false
	}
	if parts[0] == "namespaces" && len(parts) > 2 {
		found.namespace, parts = parts[1], parts[2:]
	}
	for place, part := range parts {
		*[]*string{&found.resource, &found.name, &found.sub}[min(place, 2)] = part
	}
	_, known := kinds[found.resource]
	return found, known
}

func (a address) key() string { return a.namespace + "/" + a.name }

func (a address) kind() schema.GroupVersionKind {
	return schema.GroupVersionKind{Group: a.group, Version: a.version, Kind: kinds[a.resource]}
}

func (a address) plural() schema.GroupResource {
	return schema.GroupResource{Group: a.group, Resource: a.resource}
}

// What a list or a watch wants of all objects of a kind.
type filter struct {
	namespace string
	labels    labels.Selector
	fields    fields.Selector
}

func (f filter) matches(object *unstructured.Unstructured) bool {
	if object == nil || (f.namespace != "" && object.GetNamespace() != f.namespace) {
		return false
	}
	phase, _, _ := unstructured.NestedString(object.Object, "status", "phase")
	known := fields.Set{
		"metadata.name": object.GetName(), "metadata.namespace": object.GetNamespace(), "status.phase": phase,
	}
	return f.labels.Matches(labels.Set(object.GetLabels())) && f.fields.Matches(known)
}

func (s *apiServer) ServeHTTP(out http.ResponseWriter, request *http.Request) {
	at, known := addressOf(request.URL.Path)
	if !known {
		refuse(out, apierrors.NewNotFound(at.plural(), request.URL.Path))
		return
	}
	query := request.URL.Query()
	byLabel, err := labels.Parse(query.Get("labelSelector"))
	byField, err2 := fields.ParseSelector(query.Get("fieldSelector"))
	if err != nil || err2 != nil {
		refuse(out, apierrors.NewBadRequest("a selector can't be read"))
		return
	}
	wanted := filter{at.namespace, byLabel, byField}
	body, err := io.ReadAll(request.Body)
	if err != nil {
		panic(err)
	}
	if request.Method == http.MethodGet && (query.Get("watch") == "true" || query.Get("watch") == "1") {
		s.watch(out, request, at, wanted, query.Get("resourceVersion"))
		return
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	var answer *unstructured.Unstructured
	var wrong *apierrors.StatusError
	switch {
	case request.Method == http.MethodGet && at.name == "":
		show(out, s.list(at, wanted))
		return
	case request.Method == http.MethodGet:
		answer, wrong = s.found(at)
	case request.Method == http.MethodPost:
		answer, wrong = s.create(at, body)
	case request.Method == http.MethodPut:
		answer, wrong = s.replace(at, body)
	case request.Method == http.MethodPatch:
		answer, wrong = s.patch(at, types.PatchType(request.Header.Get("Content-Type")), body)
	case request.Method == http.MethodDelete && at.name == "":
		for _, object := range s.list(at, wanted)["items"].([]any) {
			one := unstructured.Unstructured{Object: object.(map[string]any)}
			at.namespace, at.name = one.GetNamespace(), one.GetName()
			answer, wrong = s.remove(at)
		}
	case request.Method == http.MethodDelete:
		answer, wrong = s.remove(at)
	default:
		wrong = apierrors.NewMethodNotSupported(at.plural(), request.Method)
	}
	if wrong != nil {
		refuse(out, wrong)
		return
	}
	if answer == nil {
		show(out, metav1.Status{Status: metav1.StatusSuccess})
		return
	}
	show(out, answer.Object)
}

func (s *apiServer) found(at address) (*unstructured.Unstructured, *apierrors.StatusError) {
	if object, ok := s.objects[at.resource][at.key()]; ok {
		return object, nil
	}
	return nil, apierrors.NewNotFound(at.plural(), at.name)
}

func (s *apiServer) list(at address, wanted filter) map[string]any {
	items := []any{}
	for _, object := range s.objects[at.resource] {
		if wanted.matches(object) {
			items = append(items, object.Object)
		}
	}
	kind := at.kind()
	return map[string]any{
		"apiVersion": kind.GroupVersion().String(), "kind": kind.Kind + "List", "items": items,
		"metadata": map[string]any{"resourceVersion": fmt.Sprint(s.version)},
	}
}

func (s *apiServer) create(at address, body []byte) (*unstructured.Unstructured, *apierrors.StatusError) {
	object, wrong := read(at, body)
	if wrong != nil {
		return nil, wrong
	}
	if at.resource == "selfsubjectaccessreviews" {
		object.Object["status"] = map[string]any{"allowed": true}
		return object, nil
	}
	if object.GetName() == "" {
		object.SetName(object.GetGenerateName() + string(uuid.NewUUID())[:5])
	}
	at.name = object.GetName()
	if _, taken := s.objects[at.resource][at.key()]; taken {
		return nil, apierrors.NewAlreadyExists(at.plural(), at.name)
	}
	if at.resource == "pods" {
		object.Object["status"] = map[string]any{"phase": string(corev1.PodPending)}
	}
	object.SetUID(uuid.NewUUID())
	object.SetCreationTimestamp(metav1.NewTime(time.Now()))
	return s.keep(at, nil, object), nil
}

func (s *apiServer) replace(at address, body []byte) (*unstructured.Unstructured, *apierrors.StatusError) {
	before, wrong := s.found(at)
	if wrong != nil {
		return nil, wrong
	}
	object, wrong := read(at, body)
	if wrong != nil {
		return nil, wrong
	}
	if given := object.GetResourceVersion(); given != "" && given != before.GetResourceVersion() {
		return nil, apierrors.NewConflict(at.plural(), at.name, fmt.Errorf("it is at another version"))
	}
	if at.sub == "status" {
		whole := before.DeepCopy()
		whole.Object["status"] = object.Object["status"]
		object = whole
	} else if at.resource == "pods" {
		object.Object["status"] = before.Object["status"]
	}
	return s.keep(at, before, object), nil
}

func (s *apiServer) patch(at address, how types.PatchType, body []byte) (*unstructured.Unstructured, *apierrors.StatusError) {
	before, wrong := s.found(at)
	if wrong != nil {
		return nil, wrong
	}
	text, err := json.Marshal(before.Object)
	if err != nil {
		panic(err)
	}
	switch how {
	case types.MergePatchType:
		text, err = jsonpatch.MergePatch(text, body)
	case types.JSONPatchType:
		var steps jsonpatch.Patch
		if steps, err = jsonpatch.DecodePatch(body); err == nil {
			text, err = steps.Apply(text)
		}
	case types.StrategicMergePatchType:
		if at.resource != "pods" {
			return nil, apierrors.NewBadRequest("only pods have strategic patches")
		}
		text, err = strategicpatch.StrategicMergePatch(text, body, corev1.Pod{})
	default:
		return nil, apierrors.NewBadRequest("patches of this kind are not known: " + string(how))
	}
	if err != nil {
		return nil, apierrors.NewBadRequest(err.Error())
	}
	object, wrong := read(at, text)
	if wrong != nil {
		return nil, wrong
	}
	return s.keep(at, before, object), nil
}

func (s *apiServer) remove(at address) (*unstructured.Unstructured, *apierrors.StatusError) {
	before, wrong := s.found(at)
	if wrong != nil {
		return nil, wrong
	}
	if len(before.GetFinalizers()) == 0 {
		return s.keep(at, before, nil), nil
	}
	if before.GetDeletionTimestamp() != nil {
		return before, nil
	}
	object := before.DeepCopy()
	now := metav1.NewTime(time.Now())
	object.SetDeletionTimestamp(&now)
	return s.keep(at, before, object), nil
}

// keep stores an object, or removes it where it is nil, and tells who watches.
func (s *apiServer) keep(at address, before, after *unstructured.Unstructured) *unstructured.Unstructured {
	if after != nil && after.GetDeletionTimestamp() != nil && len(after.GetFinalizers()) == 0 {
		after = nil
	}
	s.version++
	if after == nil {
		delete(s.objects[at.resource], at.key())
	} else {
		if before != nil {
			after.SetUID(before.GetUID())
			after.SetCreationTimestamp(before.GetCreationTimestamp())
		}
		after.SetResourceVersion(fmt.Sprint(s.version))
		if s.objects[at.resource] == nil {
			s.objects[at.resource] = map[string]*unstructured.Unstructured{}
		}
		s.objects[at.resource][at.key()] = after
	}
	s.history[at.resource] = append(s.history[at.resource], change{s.version, before, after})
	close(s.changed)
	s.changed = make(chan struct{})
	if after == nil {
		return before
	}
	return after
}

// watch tells of changes after a version; an object that comes to match was added, and one that no
// longer does is gone.
func (s *apiServer) watch(out http.ResponseWriter, request *http.Request, at address, wanted filter, since string) {
	after := 0
	if since != "" && since != "0" {
		if _, err := fmt.Sscan(since, &after); err != nil {
			refuse(out, apierrors.NewBadRequest("no version: "+since))
			return
		}
	}
	out.Header().Set("Content-Type", "application/json")
	out.WriteHeader(http.StatusOK)
	out.(http.Flusher).Flush()
	lines := json.NewEncoder(out)
	for told := 0; ; {
		s.mutex.Lock()
		news, changed := s.history[at.resource][told:], s.changed
		s.mutex.Unlock()
		for _, one := range news {
			told++
			was, is := wanted.matches(one.before), wanted.matches(one.after)
			if one.version <= after || !(was || is) {
				continue
			}
			event, object := "MODIFIED", one.after
			switch {
			case !is:
				gone := one.before.DeepCopy()
				gone.SetResourceVersion(fmt.Sprint(one.version))
				event, object = "DELETED", gone
			case !was:
				event = "ADDED"
			}
			if lines.Encode(map[string]any{"type": event, "object": object.Object}) != nil {
				return
			}
		}
		out.(http.Flusher).Flush()
		select {
		case <-changed:
		case <-request.Context().Done():
			return
		}
	}
}

func read(at address, body []byte) (*unstructured.Unstructured, *apierrors.StatusError) {
	object := &unstructured.Unstructured{}
	if err := json.Unmarshal(body, &object.Object); err != nil {
		return nil, apierrors.NewBadRequest(err.Error())
	}
	object.SetGroupVersionKind(at.kind())
	object.SetNamespace(at.namespace)
	if at.name != "" {
		object.SetName(at.name)
	}
	return object, nil
}

func show(out http.ResponseWriter, answer any) {
	out.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(out).Encode(answer); err != nil {
		panic(err)
	}
}

func refuse(out http.ResponseWriter, wrong *apierrors.StatusError) {
	status := wrong.Status()
	status.Kind, status.APIVersion = "Status", "v1"
	out.Header().Set("Content-Type", "application/json")
	out.WriteHeader(int(status.Code))
	if err := json.NewEncoder(out).Encode(status); err != nil {
		panic(err)
	}
}
