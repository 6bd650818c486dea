package dashboards

// What is used of Grafana's classic model. Its schema is the one of version 42,
// which Grafana migrates when it loads a file.
const schemaVersion = 42

// Dashboard is one file.
type Dashboard struct {
	UID           string          `json:"uid"`
	Title         string          `json:"title"`
	Description   string          `json:"description"`
	Tags          []string        `json:"tags"`
	Links         []DashboardLink `json:"links"`
	Templating    Variables       `json:"templating"`
	Annotations   Annotations     `json:"annotations"`
	Panels        []*Panel        `json:"panels"`
	Time          TimeRange       `json:"time"`
	Refresh       string          `json:"refresh"`
	Timezone      string          `json:"timezone"`
	GraphTooltip  int             `json:"graphTooltip"`
	Editable      bool            `json:"editable"`
	SchemaVersion int             `json:"schemaVersion"`
}

// TimeRange is what a dashboard shows when it is opened.
type TimeRange struct {
	From string `json:"from"`
	To   string `json:"to"`
}

// DashboardLink is a link at the top of a dashboard.
type DashboardLink struct {
	Title       string `json:"title"`
	Type        string `json:"type"`
	URL         string `json:"url"`
	Icon        string `json:"icon"`
	Tooltip     string `json:"tooltip"`
	IncludeVars bool   `json:"includeVars"`
	KeepTime    bool   `json:"keepTime"`
}

// Variables are what the reader can choose.
type Variables struct {
	List []Variable `json:"list"`
}

// Variable is one of them. What its fields mean depends on the type.
type Variable struct {
	Name        string  `json:"name"`
	Label       string  `json:"label"`
	Description string  `json:"description,omitempty"`
	Type        string  `json:"type"`
	Query       any     `json:"query"`
	Definition  string  `json:"definition,omitempty"`
	Datasource  *Source `json:"datasource,omitempty"`
	Regex       string  `json:"regex,omitempty"`
	Refresh     int     `json:"refresh,omitempty"`
	Sort        int     `json:"sort,omitempty"`
	Multi       bool    `json:"multi,omitempty"`
	IncludeAll  bool    `json:"includeAll,omitempty"`
	AllValue    string  `json:"allValue,omitempty"`
	Hide        int     `json:"hide,omitempty"`
	SkipURLSync bool    `json:"skipUrlSync,omitempty"`
	Current     *Choice `json:"current,omitempty"`
	Options     []any   `json:"options,omitempty"`
}

// Choice is the value of a variable.
type Choice struct {
	Text  any `json:"text"`
	Value any `json:"value"`
}

// Annotations are events drawn over time.
type Annotations struct {
	List []Annotation `json:"list"`
}

// Annotation is one kind of event.
type Annotation struct {
	Name        string  `json:"name"`
	Datasource  *Source `json:"datasource"`
	Enable      bool    `json:"enable"`
	Expr        string  `json:"expr"`
	Step        string  `json:"step,omitempty"`
	IconColor   string  `json:"iconColor"`
	TitleFormat string  `json:"titleFormat"`
	TextFormat  string  `json:"textFormat"`
}

// Source names a data source.
type Source struct {
	Type string `json:"type"`
	UID  string `json:"uid"`
}

// Panel is one picture.
type Panel struct {
	ID              int              `json:"id"`
	Type            string           `json:"type"`
	Title           string           `json:"title"`
	Description     string           `json:"description,omitempty"`
	GridPos         GridPos          `json:"gridPos"`
	Collapsed       *bool            `json:"collapsed,omitempty"`
	Datasource      *Source          `json:"datasource,omitempty"`
	Interval        string           `json:"interval,omitempty"`
	TimeFrom        string           `json:"timeFrom,omitempty"`
	Targets         []Target         `json:"targets,omitempty"`
	Transformations []Transformation `json:"transformations,omitempty"`
	FieldConfig     *FieldConfig     `json:"fieldConfig,omitempty"`
	Options         map[string]any   `json:"options,omitempty"`
}

// GridPos is a place on a grid of 24 columns.
type GridPos struct {
	X int `json:"x"`
	Y int `json:"y"`
	W int `json:"w"`
	H int `json:"h"`
}

// Target is a query.
type Target struct {
	RefID        string  `json:"refId"`
	Datasource   *Source `json:"datasource"`
	Expr         string  `json:"expr"`
	EditorMode   string  `json:"editorMode"`
	Format       string  `json:"format"`
	Instant      bool    `json:"instant"`
	Range        bool    `json:"range"`
	LegendFormat string  `json:"legendFormat,omitempty"`
}

// Transformation changes what queries answered before it is drawn.
type Transformation struct {
	ID      string `json:"id"`
	Options any    `json:"options"`
}

// FieldConfig says how values are shown.
type FieldConfig struct {
	Defaults  Field      `json:"defaults"`
	Overrides []Override `json:"overrides"`
}

// Field holds what goes for every value of a panel.
type Field struct {
	Unit       string         `json:"unit,omitempty"`
	Decimals   *int           `json:"decimals,omitempty"`
	Min        *float64       `json:"min,omitempty"`
	Max        *float64       `json:"max,omitempty"`
	NoValue    string         `json:"noValue,omitempty"`
	Color      *Color         `json:"color,omitempty"`
	Thresholds *Thresholds    `json:"thresholds,omitempty"`
	Mappings   []Mapping      `json:"mappings,omitempty"`
	Links      []Link         `json:"links,omitempty"`
	Custom     map[string]any `json:"custom,omitempty"`
}

// Override changes the field configuration of some of a panel's values.
type Override struct {
	Matcher    Matcher    `json:"matcher"`
	Properties []Property `json:"properties"`
}

// Matcher selects the values of an override.
type Matcher struct {
	ID      string `json:"id"`
	Options string `json:"options"`
}

// Property is one thing that an override sets.
type Property struct {
	ID    string `json:"id"`
	Value any    `json:"value"`
}

// Color is where a value's colour comes from.
type Color struct {
	Mode       string `json:"mode"`
	FixedColor string `json:"fixedColor,omitempty"`
}

// Thresholds give colours to ranges of values.
type Thresholds struct {
	Mode  string `json:"mode"`
	Steps []Step `json:"steps"`
}

// Step is a threshold; the first has no value.
type Step struct {
	Color string   `json:"color"`
	Value *float64 `json:"value"`
}

// Mapping puts words in the place of values.
type Mapping struct {
	Type    string `json:"type"`
	Options any    `json:"options"`
}

// Word is what a mapped value is shown as.
type Word struct {
	Text  string `json:"text"`
	Color string `json:"color,omitempty"`
	Index int    `json:"index"`
}

// Link leads from a value to another page.
type Link struct {
	Title       string `json:"title"`
	URL         string `json:"url"`
	TargetBlank bool   `json:"targetBlank,omitempty"`
}
