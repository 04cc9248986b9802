package pgsql

import (
	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/sql"
)

// utility says what a utility statement is, by its type's name in the parse tree.
type utility struct {
	verb     string
	ddl      bool // changes the catalog
	body     bool // installs code that is not seen
	features []string
	effects  sql.Effect
}

var (
	create     = utility{verb: "create", ddl: true}
	createBody = utility{verb: "create", ddl: true, body: true}
	alter      = utility{verb: "alter", ddl: true}
	drop       = utility{verb: "drop", ddl: true}
	admin      = []string{FeatureAdmin}
)

var utilities = map[string]utility{
	"CreateStmt": create, "CreateForeignTableStmt": createBody, "CreatePolicyStmt": create,
	"CreateSeqStmt": create, "CreateDomainStmt": createBody, "CreateOpFamilyStmt": create, "IndexStmt": create,
	"CreateStatsStmt": create, "CompositeTypeStmt": create, "CreateEnumStmt": create, "CreateTableAsStmt": create,
	"CreateFunctionStmt": createBody, "CreateTrigStmt": createBody, "RuleStmt": createBody, "CreateEventTrigStmt": createBody,
	"CreateExtensionStmt": createBody, "CreateFdwStmt": createBody, "CreateAmStmt": createBody, "CreatePLangStmt": createBody,
	"DefineStmt": createBody, "CreateOpClassStmt": createBody, "CreateRangeStmt": createBody, "CreateConversionStmt": createBody,
	"CreateCastStmt": createBody, "CreateTransformStmt": createBody,
	"CreateSchemaStmt":        {verb: "create", ddl: true, effects: sql.EffectNames},
	"CreateForeignServerStmt": {verb: "create", ddl: true, features: []string{FeatureCredentials}},
	"CreateUserMappingStmt":   {verb: "create", ddl: true, features: []string{FeatureCredentials}},
	"CreateRoleStmt":          {verb: "create", ddl: true, features: []string{FeatureCredentials}},
	"CreatePublicationStmt":   {verb: "create", ddl: true, features: []string{FeatureAdmin, action.FeatureReplication}},
	"CreateSubscriptionStmt":  {verb: "create", ddl: true, features: []string{FeatureAdmin, FeatureCredentials, action.FeatureReplication}},
	"CreateTableSpaceStmt":    {verb: "create", ddl: true, features: []string{FeatureAdmin, action.FeatureServerFile}},
	"CreatedbStmt":            {verb: "create", ddl: true, features: admin},

	"AlterTableStmt": alter, "AlterCollationStmt": alter, "AlterDomainStmt": alter, "AlterDefaultPrivilegesStmt": alter,
	"AlterTableMoveAllStmt": alter, "AlterPolicyStmt": alter, "AlterEventTrigStmt": alter, "AlterSeqStmt": alter,
	"AlterOpFamilyStmt": {verb: "alter", ddl: true, body: true}, "AlterStatsStmt": alter, "AlterFunctionStmt": alter, "RenameStmt": alter,
	"AlterObjectDependsStmt": alter, "AlterObjectSchemaStmt": alter,
	"AlterOwnerStmt":    {verb: "alter", ddl: true, effects: sql.EffectNames},
	"AlterOperatorStmt": {verb: "alter", ddl: true, body: true}, "AlterTypeStmt": {verb: "alter", ddl: true, body: true}, "AlterEnumStmt": alter,
	"AlterTSDictionaryStmt": alter, "AlterTSConfigurationStmt": alter, "AlterExtensionContentsStmt": alter,
	"AlterExtensionStmt":           {verb: "alter", ddl: true, body: true},
	"AlterFdwStmt":                 {verb: "alter", ddl: true, body: true},
	"AlterForeignServerStmt":       {verb: "alter", ddl: true, features: []string{FeatureCredentials}},
	"AlterUserMappingStmt":         {verb: "alter", ddl: true, features: []string{FeatureCredentials}},
	"AlterRoleStmt":                {verb: "alter", ddl: true, features: []string{FeatureCredentials}},
	"AlterRoleSetStmt":             {verb: "alter", ddl: true, features: admin},
	"AlterDatabaseStmt":            {verb: "alter", ddl: true, features: admin},
	"AlterDatabaseRefreshCollStmt": {verb: "alter", ddl: true, features: admin},
	"AlterDatabaseSetStmt":         {verb: "alter", ddl: true, features: admin},
	"AlterSystemStmt":              {verb: "alter", ddl: true, features: admin},
	"AlterTableSpaceOptionsStmt":   {verb: "alter", ddl: true, features: admin},
	"AlterPublicationStmt":         {verb: "alter", ddl: true, features: []string{FeatureAdmin, action.FeatureReplication}},
	"AlterSubscriptionStmt":        {verb: "alter", ddl: true, features: []string{FeatureAdmin, FeatureCredentials, action.FeatureReplication}},

	"DropStmt": drop, "DropUserMappingStmt": drop, "DropRoleStmt": drop,
	"DropOwnedStmt":        {verb: "drop", ddl: true, effects: sql.EffectNames},
	"DropTableSpaceStmt":   {verb: "drop", ddl: true, features: admin},
	"DropdbStmt":           {verb: "drop", ddl: true, features: admin},
	"DropSubscriptionStmt": {verb: "drop", ddl: true, features: []string{FeatureAdmin, action.FeatureReplication}},
	"ReassignOwnedStmt":    {verb: "reassign", ddl: true, effects: sql.EffectNames},

	// Who may use a schema decides whether it is in the search path.
	"GrantStmt": {ddl: true, effects: sql.EffectNames}, "GrantRoleStmt": {ddl: true, effects: sql.EffectNames},
	"CommentStmt":             {verb: "comment", ddl: true},
	"SecLabelStmt":            {verb: "security_label", ddl: true},
	"ImportForeignSchemaStmt": {verb: "import", ddl: true, body: true},
	"TruncateStmt":            {verb: "truncate"},
	"RefreshMatViewStmt":      {verb: "refresh"},
	"ClusterStmt":             {verb: "cluster"},
	"ReindexStmt":             {verb: "reindex"},
	"VacuumStmt":              {},
	"LockStmt":                {verb: "lock"},
	"ListenStmt":              {verb: "listen"},
	"UnlistenStmt":            {verb: "unlisten"},
	"NotifyStmt":              {verb: "notify"},
	"ConstraintsSetStmt":      {verb: "set", features: []string{action.FeatureTransaction}},
	"DiscardStmt":             {verb: "discard"},
	"CheckPointStmt":          {verb: "checkpoint", features: admin},
	"LoadStmt":                {verb: "load", body: true, features: []string{FeatureAdmin, action.FeatureServerFile}, effects: sql.EffectOpaque},
}
